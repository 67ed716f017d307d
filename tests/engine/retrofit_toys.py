"""A retrofitting task, a model with two knobs and a judge that need no torch; found as toys.py is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from toys import mark

from harness.methods.method import Edit, method
from harness.methods.oracle import Answers, Losses
from harness.models.judges.judge import Judge, Opened, judge
from harness.models.model import Missing, Model, model
from harness.models.parameterisations import Knob
from harness.options import option
from harness.tasks.retrofitting import Facts, Retrofitting


@dataclass
class Session:
    """Says a times the item's number, plus b."""

    settings: dict[str, float] = field(default_factory=lambda: {"a": 1.0, "b": 0.0})
    knobs: Mapping[str, Knob] = field(default_factory=lambda: {"a": Knob(1, -9, 9, 0.5), "b": Knob(0, -9, 9, 0.5)})
    blocks: Mapping[str, Any] = field(default_factory=dict)
    layers: Mapping[str, Any] = field(default_factory=dict)
    bias_size: int = 0
    logit_bias: Any = None


@model("toy_session")
@dataclass(frozen=True)
class ToySession(Model):
    def weights(self) -> Mapping[str, str]:
        return {"toy.safetensors": "bb" * 32}

    def missing(self) -> tuple[Missing, ...]:
        return ()

    def open(self, device: str) -> Session:
        return Session()


@judge("toy-judge")
@dataclass(frozen=True)
class ToyJudge(Judge):
    """How near what was said is to 1.5 times the number; `wrong` gives scores outside [0, 1]."""

    reads = ("texts",)
    wrong: bool = option(False)

    def digest(self) -> str:
        return "cc" * 16

    def open(self, device: str) -> Opened:
        def judged(answers: Mapping[str, NDArray[Any]], facts: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
            mark("judged", f"{len(facts)} {facts[0]['split']}\n")
            time.sleep(facts[0]["pause_s"])
            said = answers["texts"].astype(np.float64)
            wanted = np.array([1.5 * f["number"] for f in facts])
            return {"score": np.exp(-np.abs(said - wanted)).astype(np.float32) + (5 if self.wrong else 0)}

        return judged


@dataclass(frozen=True)
class ToyRetrofit(Retrofitting):
    count: int = option(70, help="report items")
    tune: int = option(10)
    pause_s: float = option(0.0)
    judge: str = option("toy-judge")

    name = "toy_retrofit"
    version = 1
    artifacts = frozenset({"texts"})
    report_only = frozenset({"count"})

    def facts_of(self, split: str) -> Facts:
        start, count = (0, self.tune) if split == "tune" else (1000, self.count)
        return tuple(
            {"name": f"item {i}", "number": (i * 7 % 10) / 10, "split": split, "pause_s": self.pause_s}
            for i in range(start, start + count)
        )

    def clusters(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return np.arange(self.count, dtype=np.int64), np.zeros(self.count, dtype=np.int64)

    def feeds(self) -> frozenset[tuple[str, str]]:
        return frozenset((kind, "generated") for kind in ("outputs", "judged", "search"))

    def answer(self, model: Any, split: str, rows: range, seed: int) -> Answers:
        facts = self.facts_of(split)
        said = [model.settings["a"] * facts[i]["number"] + model.settings["b"] for i in rows]
        return {"texts": np.array([f"{s:.6f}" for s in said])}

    def losses(self, answers: Answers, facts: Facts, judged: Answers) -> Losses:
        return 1 - judged["score"].astype(np.float64)


@method("toy_edit")
@dataclass(frozen=True)
class ToyEdit(Edit):
    """Sets a knob of a copy."""

    def edit(self, model: Any, data: Any, seed: int) -> Any:
        data.charge("gradient", len(data.facts))
        return Session({**model.settings, "a": 1.5})
