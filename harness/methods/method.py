"""What a method is: an intervention on a trained model, by exactly one of four protocols (design.md section 5).

* Sampling   hooks (harness/models/diffusion/hooks.py) on the one denoising loop
* Edit       (model, data, rng) → model
* Search     proposes parameters or latents and is told scores, within a budget
* Transform  sample → sample

A method is a frozen dataclass made with `@method`; its options are its YAML. It writes no files, draws from no global
state and knows no metric. Its role in a suite (method, baseline, control) is not its business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from harness.models.diffusion.hooks import Condition, Couples, Group, Hooks, Stage, Step

__all__ = [
    "Condition",
    "Couples",
    "Edit",
    "Group",
    "Kind",
    "Method",
    "Sampling",
    "Search",
    "Source",
    "Stage",
    "Step",
    "Transform",
    "method",
]


class Kind(StrEnum):
    SAMPLING = "sampling"
    EDIT = "edit"
    SEARCH = "search"
    TRANSFORM = "transform"


@dataclass(frozen=True)
class Source:
    """Where a method comes from. `licence` is that of the authors' code ("none found" where there is none)."""

    title: str = ""
    paper: str = ""  # arXiv id or DOI
    code: str = ""
    licence: str = ""


class Method(ABC):
    """Base of all methods; subclasses implement one protocol below and are decorated with `@method`."""

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    kind: ClassVar[Kind]
    couples: ClassVar[Couples] = Couples.NOTHING
    source: ClassVar[Source] = Source()
    reads: ClassVar[tuple[str, ...] | None] = None  # options whose value names an image set of the suite
    control_of: ClassVar[str] = ""  # the method whose gain it explains away, for controls made for one method
    requires: ClassVar[str] = ""  # what it needs beyond the model, in words (memory, gradients, a scorer)

    def coupling(self) -> Couples:
        """What couples items with these parameters; `couples` is what the method can do at most."""
        return self.couples


class Sampling(Method, Hooks):
    """Training-free interventions on diffusion sampling: the hooks of `harness/models/diffusion/hooks.py`."""

    kind = Kind.SAMPLING


# --- the other protocols ----------------------------------------------------------------------------------------------


class Edit(Method):
    """A change of weights: unlearning, fine-tuning, weight interpolation."""

    kind = Kind.EDIT

    @abstractmethod
    def edit(self, model: Any, data: Any, seed: int) -> Any:
        """The edited model; the given one is left untouched. `data` is what the task hands out for the tune split."""


class Search(Method):
    """Black-box search over parameters or latents within a budget of evaluations."""

    kind = Kind.SEARCH

    @abstractmethod
    def search(self, space: Any, oracle: Callable[[Any], float], budget: int, seed: int) -> Any:
        """The point chosen in `space`; `oracle` scores a point on the tune split and counts its calls."""


class Transform(Method):
    """Sample in, sample out: cloaks and their controls."""

    kind = Kind.TRANSFORM

    @abstractmethod
    def transform(self, samples: Any, seed: int, surrogates: Sequence[Any] = ()) -> Any:
        """samples (N, 3, H, W) float32 in [0, 1] → same shape and range. `surrogates` are the models it may query."""


C = TypeVar("C", bound=type[Method])


def method(
    name: str,
    *,
    version: int = 1,
    couples: Couples = Couples.NOTHING,
    source: Source | None = None,
    requires: str = "",
) -> Callable[[C], C]:
    """Class decorator stating a method's name, version, coupling and source. Bump `version` when outputs change."""

    def apply(cls: C) -> C:
        cls.name, cls.version, cls.couples = name, version, couples
        cls.source, cls.requires = source or Source(), requires
        return cls

    return apply
