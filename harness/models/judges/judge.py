"""What a judge is: it reads stored artifacts and says something of every item — a transcript, a quality, an outcome.

A search is tuned on one judge and reported by another (rules.md B). A judge is a frozen dataclass made with `@judge`;
its options and `digest` enter metric ids and the address of every judgement. A judgement depends on its item alone: not
on the batch, the order, the number of workers or what was judged before.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from numpy.typing import NDArray

from harness.models.model import Missing

Opened = Callable[[Mapping[str, NDArray[Any]], Sequence[Mapping[str, Any]]], dict[str, NDArray[Any]]]


class Judge(ABC):
    """Base of all judges.

    reads   names of the artifacts it takes: "images" (N, H, W, 3) uint8, "audio" (N, T) int16 with "lengths" (N,)
            int64, "texts" (N,) str
    exact   its verdict is what is asked for (a unit test), not a model of it: tuning on it is no reward hacking
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ()
    exact: ClassVar[bool] = False

    @abstractmethod
    def digest(self) -> str:
        """Names everything that decides a judgement beside the options: weights, dictionary, grammar. No torch."""

    def missing(self) -> tuple[Missing, ...]:
        """What is missing; empty when `open` can work."""
        return ()

    @abstractmethod
    def open(self, device: str) -> Opened:
        """A function of (artifacts of n items, n facts) → arrays with n rows, on "cpu", "cuda:0", ….

        A fact is what the task knows of an item: {"reference": …, "tests": …}. Arrays: a recogniser gives "text" (n,)
        str; a quality scorer "score" (n,) float32, higher is better; a program runner "outcome" (n,) str, "passed" and
        "tests" (n,) int64. Raises MissingWeights.
        """

    def gradient(self, device: str) -> Callable[[Any], Any]:
        """For image scorers that have one: tensor (n, 3, H, W) in [0, 1] → tensor (n,), differentiable.

        Raises NotDifferentiable.
        """
        raise NotDifferentiable(f"judge {self.name!r} has no gradient on {device}")


class NotDifferentiable(TypeError):
    """A judge was asked for a gradient that it does not have."""


C = TypeVar("C", bound=type[Judge])


def judge(name: str, *, version: int = 1) -> Callable[[C], C]:
    """Class decorator stating a judge's registered name and version. Bump `version` when judgements change."""

    def apply(cls: C) -> C:
        cls.name, cls.version = name, version
        return cls

    return apply
