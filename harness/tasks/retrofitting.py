"""What the tasks of retrofitting share: a search on the tune split, its answers on the report split, and their account.

The tune split and its judge are what a search may see; `run` answers the report split with what the search returned.
There the tune judge is asked once more, of items that nothing was chosen on, so that the gap has a number of its own.
"""

from __future__ import annotations

import hashlib
import json
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.methods.method import Edit, Kind, Method, Search
from harness.methods.oracle import Answers, Losses, Oracle
from harness.models import judges
from harness.models.parameterisations import Nothing, Parameterisation, Point
from harness.tasks.task import ItemTable, RunContext, Shard, ShardResult, Task

SHARD_ITEMS = 64
Facts = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Examples:
    """What an edit may learn from: the tune items with what is wanted of them."""

    facts: Facts
    charge: Callable[[str, int], None]  # a kind of call and a count


@dataclass(frozen=True)
class Ready:
    """A prepared method: the model it acts through, what it moves and where to; `online` searches every item."""

    model: Any
    space: Parameterisation = field(default_factory=Nothing)
    point: Point = field(default_factory=lambda: np.zeros(0))
    online: Search | None = None

    @contextmanager
    def applied(self) -> Iterator[Any]:
        """The model as the method leaves it."""
        with self.space.applied(self.model, self.point):
            yield self.model


class Retrofitting(Task):
    """Base: inputs of two splits, answers of an opened model, losses of answers in [0, 1]."""

    kinds = frozenset({Kind.SEARCH, Kind.EDIT})
    judge: str  # the tune judge; "" where the loss needs none

    # --- what a task says ---------------------------------------------------------------------------------------------

    @abstractmethod
    def facts_of(self, split: str) -> Facts:
        """The items of "tune" or "report": whatever `answer`, the judges and metrics need to know of them."""

    @abstractmethod
    def clusters(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(cluster, sample) of the report items, (N,) each: the cluster is what intervals resample."""

    @abstractmethod
    def answer(self, model: Any, split: str, rows: range, seed: int) -> Answers:
        """Artifacts of some items of a split, made by the opened model; they depend on nothing else."""

    @abstractmethod
    def losses(self, answers: Answers, facts: Facts, judged: Answers) -> Losses:
        """(n,) in [0, 1], 0 best, from the answers and what the tune judge says of them."""

    def cost(self, model: Any, items: int) -> Mapping[str, int]:
        """Further calls by kind that `answer` makes for so many tune items; an evaluation read back costs the same."""
        return {}

    def refined(
        self, model: Any, method: Search, rows: range, seed: int, context: RunContext
    ) -> tuple[Answers, Losses, NDArray[np.float64]]:
        """Answers of an online search, their losses by the tune judge, and the trace (n, E) of best scores."""
        raise TypeError(f"task {self.name!r} has no latent of its own for every item: {method.name} cannot search it")

    # --- the task -----------------------------------------------------------------------------------------------------

    def facts(self) -> Facts:
        return self.facts_of("report")

    def texts(self) -> tuple[str, ...]:
        """One text a cluster, for people."""
        cluster, _ = self.clusters()
        first = {int(c): i for i, c in reversed(list(enumerate(cluster)))}
        return tuple(self.title(self.facts()[first[c]]) for c in sorted(first))

    def title(self, fact: Mapping[str, Any]) -> str:
        """What a report calls an item's cluster."""
        return str(fact.get("name", ""))

    def content(self) -> dict[str, str]:
        """Both splits, and what the tune judge is: another judge's evaluations are never read back."""
        found = {split: digest(list(self.facts_of(split))) for split in ("tune", "report")}
        return {**found, "judge": judges.identity(judges.find(self.judge))} if self.judge else found

    def items(self) -> ItemTable:
        cluster, sample = self.clusters()
        return ItemTable(cluster, sample, np.arange(len(cluster), dtype=np.int64))

    def shards(self) -> tuple[Shard, ...]:
        total = len(self.facts())
        return tuple(Shard(i, a, min(a + SHARD_ITEMS, total)) for i, a in enumerate(range(0, total, SHARD_ITEMS)))

    def prepare(self, model: Any, method: Method, seed: int, context: RunContext) -> Ready:
        if isinstance(method, Edit):
            return Ready(method.edit(model, Examples(self.facts_of("tune"), context.charge), seed))
        if not isinstance(method, Search):
            raise TypeError(f"{self.name} takes searches and edits, not {method.kind.value}: {method.name}")
        if method.online:
            return Ready(model, online=method)
        trace = method.search(TuneOracle(self, model, seed, context, method.evaluations), seed)
        context.record(trace.arrays())
        return Ready(model, method.space(), trace.point)

    def run(self, model: Any, method: Any, seed: int, shard: Shard, context: RunContext) -> ShardResult:
        ready, rows = method, range(shard.start, shard.stop)
        if ready.online is not None:
            answers, losses, best = self.refined(ready.model, ready.online, rows, seed, context)
            arrays = {**answers, "tune_loss": losses.astype(np.float64), "best": best}
            context.progress(len(shard))
            return ShardResult(arrays, calls={"item_evaluations": ready.online.evaluations * len(shard)})
        with ready.applied() as applied:
            answers = self.answer(applied, "report", rows, seed)
        losses = self.judged_losses(answers, [self.facts()[i] for i in rows], context)
        context.progress(len(shard))
        return ShardResult({**answers, "tune_loss": losses.astype(np.float64)}, calls={"answers": len(shard)})

    def judged_losses(self, answers: Answers, facts: Facts, context: RunContext) -> Losses:
        """Losses of answers, the tune judge asked where there is one."""
        judged = judges.opened(self.judge, context.device)(answers, facts) if self.judge else {}
        return np.asarray(self.losses(answers, facts, judged), dtype=np.float64)


@dataclass
class TuneOracle(Oracle):
    """Answers of the model at a point, judged on the tune split; what was asked before is read back."""

    task: Retrofitting
    session: Any
    seed: int
    context: RunContext
    expected: int  # evaluations to come, for progress
    asked: int = 0
    items: int = field(init=False)
    _free: SimpleQueue[Any] = field(init=False, default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        self.items = len(self.task.facts_of("tune"))
        if self.items == 0:
            raise ValueError(f"task {self.task.name!r} has no tune items to search on")
        self._free.put(self.session)
        for _ in range(1, self.context.at_once):
            self._free.put(deepcopy(self.session))  # points change weights: two at once need two models

    def evaluate(self, space: Parameterisation, points: Sequence[Point], items: int) -> list[Losses]:
        with ThreadPoolExecutor(max_workers=max(1, min(self.context.at_once, len(points)))) as pool:
            found = list(pool.map(lambda p: self._one(space, p, items), points))
        self.context.charge("evaluations", len(points))
        self.context.charge("answers", len(points) * items)
        for point in points:
            with space.applied(self.session, point):
                for kind, count in self.task.cost(self.session, items).items():
                    self.context.charge(kind, count)
        self.asked += len(points)
        self.context.progress(len(self.task.items()) * self.asked / (self.expected + 1))
        return found

    def _one(self, space: Parameterisation, point: Point, items: int) -> Losses:
        model = self._free.get()
        try:
            settled = space.check(model, point)
            candidate = [space.name, space.version, vars(space), settled.tolist()]
            key = digest([self.context.scope, self.seed, candidate, items])

            def compute() -> dict[str, NDArray[Any]]:
                began = time.perf_counter()
                with space.applied(model, settled):
                    answers = self.task.answer(model, "tune", range(items), self.seed)
                losses = self.task.judged_losses(answers, list(self.task.facts_of("tune")[:items]), self.context)
                return {"losses": losses, "seconds": np.array(time.perf_counter() - began)}

            clock = time.perf_counter()
            stored = compute() if self.context.evaluated is None else self.context.evaluated(key, compute)
            waited = time.perf_counter() - clock
        finally:
            self._free.put(model)
        if (paid := float(stored["seconds"])) > waited:  # by an earlier run: a search costs what it costs
            self.context.spend("search", paid)
        losses: Losses = stored["losses"]
        if losses.shape != (items,) or not ((losses >= 0) & (losses <= 1)).all():
            raise ValueError(f"the tune score gave losses {losses.shape} outside [0, 1] for {items} items")
        return losses


def digest(value: Any) -> str:
    """32 hexadecimal digits of plain values; arrays by their bytes."""

    def plain(other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return [str(other.dtype), list(other.shape), hashlib.sha256(other.tobytes()).hexdigest()]
        if isinstance(other, np.generic):
            return other.item()
        return list(other)

    text = json.dumps(value, sort_keys=True, default=plain)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
