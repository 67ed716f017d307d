"""A runner of verbs in an empty folder, a model without weights, and the shortest suite over it."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from harness.models import MODELS
from harness.models.model import Missing, MissingWeights, Model, model
from harness.options import option

SUITE = """\
suite: small
version: 4
title: A small comparison
task: {name: text_to_image, prompts: avatars/open, first: 2, images_per_prompt: 4}
model: toy
seeds: [0, 1]
baselines: [iid]
methods: [{name: spell, sweep: {radius_quantile: [0.1, 0.3]}}, cads]
metrics: [vendi.avatars, color.de2000]
"""


@model("toy")
@dataclass(frozen=True)
class ToyModel(Model):
    """A model that nobody can open."""

    guidance: float = option(3.0, at_least=0, help="guidance weight", unit="w", source="ours")
    absent: bool = option(False, help="whether its weights are missing")

    def weights(self) -> Mapping[str, str]:
        if self.missing():
            raise MissingWeights(self.missing())
        return {"model.safetensors": "ab" * 32}

    def missing(self) -> tuple[Missing, ...]:
        gone = Missing("toy weights", ("here",), "harness zoo train toy", "model avatars-sd")
        return (gone,) if self.absent else ()

    def open(self, device: str) -> Any:
        raise AssertionError("a verb that only looks opened a model")


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("cli_toys")
    module.__dict__["ToyModel"] = ToyModel
    monkeypatch.setitem(sys.modules, "cli_toys", module)
    monkeypatch.setitem(MODELS.entries, "toy", "cli_toys:ToyModel")  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with small.yaml in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_STORE", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    (tmp_path / "small.yaml").write_text(SUITE, encoding="utf-8")
    return tmp_path


@pytest.fixture
def call(folder: Path) -> Callable[..., Result]:
    """Runs a verb in this process: exit code, stdout and stderr apart."""
    from harness.cli.main import app

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return run
