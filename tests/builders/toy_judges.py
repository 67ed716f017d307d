"""Image scorers for tests: registered by putting their origin into the list of judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from harness.models.judges.judge import Judge, judge


class _Toy(Judge):
    reads: ClassVar = ("images",)

    def digest(self) -> str:
        return "0" * 32


@judge("toy-redness")
@dataclass(frozen=True)
class Redness(_Toy):
    """Mean of the red channel, in [0, 1]."""

    def open(self, device: str) -> Any:
        def score(artifacts: Mapping[str, Any], facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
            assert artifacts["images"].dtype == np.uint8
            assert len(facts) == len(artifacts["images"])
            assert all(f["subject"] for f in facts)
            return {"score": (artifacts["images"][..., 0].mean((1, 2)) / 255).astype(np.float32)}

        return score

    def gradient(self, device: str) -> Callable[[Any], Any]:
        return lambda pixels: pixels[:, 0].mean((1, 2))


@judge("toy-refusal")
@dataclass(frozen=True)
class Refusal(_Toy):
    """The first look at an item is the best: nothing may be accepted after it."""

    def open(self, device: str) -> Any:
        looks: list[int] = []

        def score(artifacts: Mapping[str, Any], facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
            looks.append(1)
            return {"score": np.full(len(facts), 1.0 / len(looks), dtype=np.float32)}

        return score
