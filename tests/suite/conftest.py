"""A model without weights, a method that samples nothing and a metric that asks for the impossible; suites as text."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.methods import METHODS
from harness.methods.method import Edit, method
from harness.metrics import METRICS
from harness.metrics.metric import Direction, Estimator, Evidence, Measurement, Metric, Need, metric
from harness.models import MODELS
from harness.models.model import Missing, MissingWeights, Model, model
from harness.options import option


@model("toy", version=3)
@dataclass(frozen=True)
class ToyModel(Model):
    steps: int | None = option(None, at_least=1, help="scheduler steps")
    guidance: float = option(3.0, at_least=0, help="guidance weight")
    absent: bool = option(False, in_id=False, help="whether its weights are missing")

    def weights(self) -> Mapping[str, str]:
        if self.missing():
            raise MissingWeights(self.missing())
        return {"unet/model.safetensors": "ab" * 32}

    def missing(self) -> tuple[Missing, ...]:
        gone = Missing("toy weights", ("here", "there"), "harness zoo train toy", "model avatars-sd")
        return (gone,) if self.absent else ()

    def open(self, device: str) -> Any:
        raise AssertionError("planning opened a model")

    def settings(self) -> dict[str, Any]:
        return {"steps": self.steps or 7}


@method("toy_edit")
@dataclass(frozen=True)
class ToyEdit(Edit):
    def edit(self, model: Any, data: Any, seed: int) -> Any:
        raise AssertionError("planning ran a method")


@metric("toy.logits", unit="1", direction=Direction.HIGHER, estimator=Estimator.MEAN)
@dataclass(frozen=True)
class ToyLogits(Metric):
    def needs(self) -> tuple[Need, ...]:
        return (Need("logits"),)

    def measure(self, evidence: Evidence) -> Measurement:
        raise AssertionError("planning measured")


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers the three under toy names."""
    module = types.ModuleType("suite_toys")
    module.__dict__.update(ToyModel=ToyModel, ToyEdit=ToyEdit, ToyLogits=ToyLogits)
    monkeypatch.setitem(sys.modules, "suite_toys", module)
    monkeypatch.setitem(MODELS.entries, "toy", "suite_toys:ToyModel")  # type: ignore[arg-type]
    monkeypatch.setitem(METHODS.entries, "toy_edit", "suite_toys:ToyEdit")  # type: ignore[arg-type]
    monkeypatch.setitem(METRICS.entries, "toy.logits", "suite_toys:ToyLogits")  # type: ignore[arg-type]


BASE = """\
suite: mine
version: 2
task: {name: text_to_image, prompts: avatars/open, first: 2, images_per_prompt: 4}
model: toy
data:
  reference: {name: avatars/prompts, per_prompt: 5}
seeds: [0, 1]
compare_to: iid
baselines: [iid]
methods:
  - {name: spell, radius_quantile: 0.3}
  - cads
metrics: [fd.avatars, vendi.avatars]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[..., str]:
    """Writes a suite: the base with lines replaced ({old: new}), or a whole text; returns the path to load."""

    def make(changes: Mapping[str, str] | str | None = None, name: str = "mine.yaml") -> str:
        text = changes if isinstance(changes, str) else BASE
        for old, new in (changes or {}).items() if not isinstance(changes, str) else ():
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the base suite"
            text = text.replace(old, new)
        (folder / name).write_text(text, encoding="utf-8")
        return name

    return make
