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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from harness.methods.oracle import LatentOracle, Oracle, Refined, Trace
from harness.models.diffusion.hooks import Condition, Couples, Group, Hooks, Stage, Step
from harness.models.parameterisations import Parameterisation

if TYPE_CHECKING:
    from torch import Tensor

    from harness.methods.cloaking.photos import Photos, Tools

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
    libraries: ClassVar[tuple[str, ...]] = ()  # whose major.minor decides what it does, beyond every cell's
    requires: ClassVar[str] = ""  # what it needs beyond the model, in words (memory, gradients, a scorer)

    def coupling(self) -> Couples:
        """What couples items with these parameters; `couples` is what the method can do at most."""
        return self.couples

    def content(self) -> Mapping[str, str]:
        """Hashes of what it reads beyond the task's model and data, by name; they enter the cell's address."""
        return {}


class Sampling(Method, Hooks):
    """Training-free interventions on diffusion sampling: the hooks of `harness/models/diffusion/hooks.py`."""

    kind = Kind.SAMPLING


# --- the other protocols ----------------------------------------------------------------------------------------------


class Edit(Method):
    """A change of weights: unlearning, fine-tuning, weight interpolation."""

    kind = Kind.EDIT

    @abstractmethod
    def edit(self, model: Any, data: Any, seed: int) -> Any:
        """The edited model; the given one is left untouched. `data` is what the task hands out for the tune split.

        Retrofitting tasks hand out `Examples` (harness/tasks/retrofitting.py).
        """


class Search(Method):
    """Black-box search over parameters or latents within a budget of evaluations (harness/methods/oracle.py).

    Offline (the default) one point serves all inputs and is chosen on the tune items; online every input has its own.
    A method implements the side that its parameters ask for.
    """

    kind = Kind.SEARCH

    @property
    def online(self) -> bool:
        """Whether every input is searched by itself."""
        return False

    @property
    def evaluations(self) -> int:
        """How often it asks its oracle: an item each when online. The identity counts."""
        return 1

    def space(self) -> Parameterisation:
        """What is moved. Offline."""
        raise TypeError(f"method {self.name!r} with these parameters moves no parameters of a model")

    def search(self, oracle: Oracle, seed: int) -> Trace:
        """The search on the tune items; the identity is its first point. Offline."""
        raise TypeError(f"method {self.name!r} with these parameters does not search parameters of a model: {oracle}")

    def refine(self, oracle: LatentOracle, seed: int) -> Refined:
        """Other latents for every item; where it starts is its first proposal. Online."""
        raise TypeError(f"method {self.name!r} with these parameters does not search latents: {oracle}")


class Transform(Method):
    """Sample in, sample out: cloaks and their controls."""

    kind = Kind.TRANSFORM

    @abstractmethod
    def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        """Photos (n, 3, H, W) float32 in [0, 1] → the same shape and range, on the CPU; the task writes 8-bit files.

        A photo's result depends on its own row of `photos`, on `tools` and on `seed`, never on its neighbours.
        """


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
