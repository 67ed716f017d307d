"""What a task is: what is asked, which artifacts answer it, and how a cell of it is cut into shards and run.

A task is a frozen dataclass made with options (its YAML). It names the kinds of method it takes and what metrics may
ask of it. It knows how to run one shard with a loaded model and a method; it knows no metric, no store and no executor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.methods.method import Kind, Method

if TYPE_CHECKING:
    from pathlib import Path

    from harness.data.face_set import FaceSet
    from harness.data.image_set import ImageSet
    from harness.metrics.unlearning.outcomes import Outcomes


@dataclass(frozen=True)
class ItemTable:
    """The items of a cell, fixed before anything runs. All (N,) int64, in storage order."""

    prompt: NDArray[np.int64]
    sample: NDArray[np.int64]
    group: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.prompt)


@dataclass(frozen=True)
class Shard:
    """A run of consecutive items at whole coupled units: the unit of loss after a kill."""

    index: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class ShardResult:
    """What running a shard gave.

    arrays    name → array with the shard's items on axis 0: "images" (n, H, W, 3) uint8, "latents" (n, D) float32, …
    calls     denoiser and other calls by kind: conditional, unconditional, auxiliary, decoder, extractor, scorer,
              gradient
    activity  rows (name, step, group, value) of what the method did
    micro_batch, tries   the micro-batch really used and the number of back-offs
    """

    arrays: Mapping[str, NDArray[Any]]
    calls: Mapping[str, int] = field(default_factory=dict)
    activity: tuple[tuple[str, int, int, float], ...] = ()
    micro_batch: int = 0
    tries: int = 0


@dataclass(frozen=True)
class RunContext:
    """What the engine hands to a running shard. Nothing in it may change a draw.

    device       "cpu", "cuda:0", …
    micro_batch  items a network call, at most
    progress     called with the number of items finished or, as a fraction, worked on
    image_sets   name → set, of the suite's data section (a shield, a reference)
    charge       called with a kind of call and a count, for work outside of shards (pilots that set a scale)
    cache        a folder for derived arrays (encoded shields), content-addressed by the caller
    folder       key → folder for memory-mapped sets too large for that
    scope        names everything of the cell that an evaluation depends on: model, tune data, libraries; neither the
                 method nor the seed, nor what is only reported
    evaluated    as `cache`, for what a search was told: by (scope, candidate, data), so that no run pays twice
    record       keeps what a search did (harness/methods/oracle.py) beside the cell
    spend        called with a stage and seconds, for work that an earlier run has done; "shared" is work done here in
                 `prepare` that many cells share, and part of no cell's seconds
    at_once      evaluations of a search at the same time; changes no result
    """

    device: str
    micro_batch: int
    progress: Callable[[float], None]
    charge: Callable[[str, int], None] = lambda *_: None
    image_sets: Mapping[str, ImageSet] = field(default_factory=dict)
    cache: Callable[[str, Callable[[], dict[str, NDArray[Any]]]], dict[str, NDArray[Any]]] | None = None
    folder: Callable[[str], Path] | None = None
    scope: str = ""
    evaluated: Callable[[str, Callable[[], dict[str, NDArray[Any]]]], dict[str, NDArray[Any]]] | None = None
    record: Callable[[Mapping[str, NDArray[Any]]], None] = lambda _: None
    spend: Callable[[str, float], None] = lambda *_: None
    at_once: int = 1


class Task(ABC):
    """Base of all tasks."""

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    kinds: ClassVar[frozenset[Kind]] = frozenset()
    artifacts: ClassVar[frozenset[str]] = frozenset()
    cluster: ClassVar[str] = "prompt"
    item: ClassVar[str] = "image"  # what one is called
    report_only: ClassVar[frozenset[str]] = frozenset()  # options that no evaluation of a search depends on

    @abstractmethod
    def items(self) -> ItemTable:
        """The items, without touching a model."""

    @abstractmethod
    def shards(self) -> tuple[Shard, ...]:
        """Shards of whole coupled units, fixed by the task alone."""

    def shards_of(self, method: Method) -> tuple[Shard, ...]:
        """Shards under a method whose coupled unit may be larger than the task's own; fixed by the plan alone."""
        return self.shards()

    @abstractmethod
    def texts(self) -> tuple[str, ...]:
        """The prompts (or sources) by index."""

    def content(self) -> dict[str, str]:
        """Hashes of the inputs, as they enter a cell's address."""
        return {}

    def facts(self) -> Sequence[Mapping[str, Any]]:
        """What is known of every item, in storage order, for judges: references, tests, stated attributes."""
        return tuple({} for _ in range(len(self.items())))

    def references(self) -> tuple[tuple[str, ...], ...]:
        """Reference texts of every item, in storage order."""
        raise ValueError(f"task {self.name!r} has no reference texts")

    def image_sets(self) -> Mapping[str, ImageSet]:
        """Sets that metrics may ask for by role and that the task has itself, such as the items' sources."""
        return {}

    def faces(self) -> FaceSet:
        """Whom the items show, and everybody whom recognisers are asked about."""
        raise ValueError(f"task {self.name!r} shows no faces")

    def outcomes(self, arrays: Mapping[str, NDArray[Any]], beside: Mapping[str, NDArray[Any]], seed: int) -> Outcomes:
        """What metrics of unlearning read of a cell. arrays: its artifacts; beside: what was recorded with them."""
        raise ValueError(f"task {self.name!r} unlearns nothing")

    def notes(self) -> tuple[str, ...]:
        """Sentences for the report on what of the inputs the run does not use, and why."""
        return ()

    def refuses(self, method: Method) -> str:
        """Why the task, with its options, cannot take a method of a kind that it takes; "" where it can."""
        return ""

    @abstractmethod
    def feeds(self) -> frozenset[tuple[str, str]]:
        """The (kind, role) pairs of evidence that it can supply to metrics; the suite adds roles of data sets."""

    @abstractmethod
    def prepare(self, model: Any, method: Method, seed: int, context: RunContext) -> Any:
        """What `run` takes: the method with every scale fixed for this model and these inputs; called once a cell."""

    @abstractmethod
    def run(self, model: Any, method: Any, seed: int, shard: Shard, context: RunContext) -> ShardResult:
        """One shard. `model` is what the model adapter's `open` returned; `method` came from `prepare`."""
