"""Classification with something to forget: every example of forget, retain and test sets, answered by its logits.

The training set is cut, by a keyed draw that no seed of a suite changes, into a held-out part that nobody trains on and
nobody reports, the forget set of the scenario, and the retain set. A seed trains one original (forget and retain) and
one retrained network (retain alone) by the model's one recipe; both are kept under what they depend on and shared by
all methods. A cell holds the logits of its edited network beside those of both. The cluster of all intervals is the
example.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.labelled import LabelledData, load_labelled
from harness.keys import generator
from harness.methods.method import Kind, Method
from harness.methods.unlearning.request import Forgetting, Request
from harness.options import nearest, option
from harness.tasks.retrofitting import digest
from harness.tasks.task import ItemTable, RunContext, Shard, ShardResult, Task

if TYPE_CHECKING:
    from harness.metrics.unlearning.outcomes import Outcomes
    from harness.models.vision.classifier import Blueprint, Classifier
    from harness.models.vision.training import Examples

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
ROLES = ("forget", "retain", "test")
TRAINING = 1  # version of how networks are trained here: part of the address of what is kept


@dataclass(frozen=True)
class Cut:
    """Rows into the training set, sorted: what is forgotten, kept, and held out of everything."""

    forget: Rows
    retain: Rows
    held_out: Rows


@dataclass(frozen=True)
class Classification(Task):
    """Options of the task."""

    data: str = option("digits", help="labelled pictures: a name, parquet or folder; identified by its content")
    path: str | None = option(None, help="folder of the files, where the data lie in files", in_id=False)
    called: str = option("", help="what ids call data that lie in files; default: the kind of files")
    scenario: Literal["random", "class", "subclass"] = option("random", help="what is forgotten")
    share: float = option(0.1, unit="share", above=0, below=1, help="of the training set, at random")
    forget: int | str | None = option(None, help="the class or sub-class that is forgotten, by index or name")
    known: float = option(1.0, unit="share", above=0, at_most=1, help="of the forget set that methods are told of")
    held_out: float = option(
        0.1, unit="share", at_least=0, below=1, help="of the training set, for methods to choose by"
    )
    draw: int = option(0, unit="draws", at_least=0, help="which keyed draw of all these parts")
    retain_items: int | None = option(
        10_000, unit="examples", at_least=1, help="of the retain set that are answered, at most; drawn by key"
    )
    shadows: int = option(
        0, unit="networks", at_least=0, help="further retrained networks a seed, for attacks that need them"
    )
    pool: int = option(
        0, unit="networks", at_least=0, help="originals a seed that the method also unlearns, for nips23.F"
    )

    name = "classification"
    version = 1
    kinds = frozenset({Kind.EDIT})
    artifacts = frozenset({"logits"})
    cluster, item = "example", "example"
    report_only = frozenset({"retain_items"})

    def __post_init__(self) -> None:
        if (self.scenario == "random") != (self.forget is None):
            raise ValueError(
                f"scenario {self.scenario}: `forget` names the class of the other scenarios, and only there"
            )

    # --- data ---------------------------------------------------------------------------------------------------------

    @cached_property
    def pictures(self) -> LabelledData:
        return load_labelled(self.data, self.path)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.pictures.names

    @cached_property
    def forgotten(self) -> int | None:
        """Index of the class (of the sub-class, in that scenario) that is forgotten; None in the random scenario."""
        if self.forget is None:
            return None
        names = self.pictures.part_names if self.scenario == "subclass" else self.pictures.names
        if isinstance(self.forget, int) and 0 <= self.forget < len(names):
            return self.forget
        if self.forget not in names:
            near = nearest(str(self.forget), names)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"no {self.scenario} {self.forget!r} in {self.data}, which has {len(names)}{hint}")
        return names.index(str(self.forget))

    @cached_property
    def cut(self) -> Cut:
        """The parts of the training set. Raises ValueError where one is empty."""
        labels = self.pictures.labels["train"]
        order = generator(self.draw, "split", "classification", "held out").permutation(len(labels))
        aside = round(self.held_out * len(labels))
        held_out, rest = np.sort(order[:aside]), np.sort(order[aside:])
        if self.scenario == "random":
            chosen = generator(self.draw, "split", "classification", "forget").permutation(len(rest))
            forgets = np.isin(np.arange(len(rest)), chosen[: round(self.share * len(rest))])
        else:
            kinds = (self.pictures.parts if self.scenario == "subclass" else self.pictures.labels)["train"]
            forgets = kinds[rest] == self.forgotten
        if forgets.all() or not forgets.any():
            raise ValueError(f"{int(forgets.sum())} of {len(rest)} training examples would be forgotten")
        return Cut(rest[forgets], rest[~forgets], held_out)

    @cached_property
    def rows(self) -> tuple[Rows, Rows, Rows]:
        """Rows of the items: forget and retain into the training set, test into the test set."""
        retain = self.cut.retain
        if self.retain_items is not None and len(retain) > self.retain_items:
            drawn = generator(self.draw, "split", "classification", "retain items").permutation(len(retain))
            retain = np.sort(retain[drawn[: self.retain_items]])
        return self.cut.forget, retain, np.arange(len(self.pictures.labels["test"]))

    @cached_property
    def scale(self) -> tuple[tuple[int, int, int], Floats, Floats]:
        """Shape (C, H, W) of a picture; mean and deviation (C,) of pixels in [0, 1], of what is kept and of no other.

        Nothing of what is forgotten is in them, so that a retrained network knows nothing of it.
        """
        kept = self.pictures.read("train")[self.cut.retain]
        levels = np.arange(256) / 255
        counts = np.stack([np.bincount(kept[..., c].ravel(), minlength=256) for c in range(kept.shape[3])])
        share = counts / counts.sum(axis=1, keepdims=True)
        mean = share @ levels
        std = np.sqrt(share @ levels**2 - mean**2).clip(1e-3)
        return (kept.shape[3], kept.shape[1], kept.shape[2]), mean, std

    def roles(self) -> NDArray[np.str_]:
        """(N,) forget, retain or test."""
        return np.repeat(np.array(ROLES), [len(r) for r in self.rows])

    def labels(self) -> NDArray[np.int64]:
        """(N,) true classes."""
        forget, retain, test = self.rows
        train = self.pictures.labels["train"]
        return np.concatenate([train[forget], train[retain], self.pictures.labels["test"][test]])

    # --- the task -----------------------------------------------------------------------------------------------------

    def items(self) -> ItemTable:
        count = len(self.labels())
        index = np.arange(count, dtype=np.int64)
        return ItemTable(index, np.zeros(count, dtype=np.int64), index)

    def shards(self) -> tuple[Shard, ...]:
        return (Shard(0, 0, len(self.labels())),)

    def texts(self) -> tuple[str, ...]:
        numbers = np.concatenate(self.rows)
        told = zip(self.roles(), numbers, self.labels(), strict=True)
        return tuple(f"{role} {number}: {self.pictures.names[label]}" for role, number, label in told)

    def content(self) -> dict[str, str]:
        return {"data": f"{self.called or self.pictures.name}:{self.pictures.digest}"}

    def refuses(self, method: Method) -> str:
        return "" if isinstance(method, Forgetting) else f"method {method.name!r} does not forget examples"

    def feeds(self) -> frozenset[tuple[str, str]]:
        return frozenset({("outcomes", "generated")})

    def prepare(self, model: Blueprint, method: Method, seed: int, context: RunContext) -> dict[str, Classifier]:
        if not isinstance(method, Forgetting):
            raise TypeError(self.refuses(method))
        shop = _Shop(self, model, seed, context)
        began = time.perf_counter()
        original, retrained = shop.original(), shop.retrained()
        shadows = [shop.retrained(r) for r in range(1, self.shadows + 1)]
        context.progress(len(self.labels()) * 0.2)
        edited = shop.edited(method, original, 0)
        pool = self._pool(shop, method) if self.pool else {}
        # networks that all methods share, and the pool of an attack, are no cost of this method
        context.spend("shared", time.perf_counter() - began - edited.here_s)
        context.spend("retraining", edited.paid_s)
        context.record(
            {
                "seconds_method": np.array(edited.here_s + edited.paid_s),
                "seconds_retrain": np.array(shop.seconds["retrain"]),
                **{f"shadow.{i:03d}": network.logits(shop.items()) for i, network in enumerate(shadows)},
                **pool,
            }
        )
        random = shop.fresh("random")
        return {
            "logits": edited.network,
            "logits_original": original,
            "logits_retrain": retrained,
            "logits_random": random,
        }

    def _pool(self, shop: _Shop, method: Forgetting) -> dict[str, NDArray[np.float32]]:
        """(M, F, C) logits on the forget set of M originals unlearned, and of two sets of M retrained networks."""
        shown, numbers = shop.examples("train", self.cut.forget), range(1, self.pool + 1)
        made = {
            "unlearned": [shop.edited(method, shop.original(r), r).network for r in numbers],
            "retrained": [shop.retrained(self.shadows + r) for r in numbers],
            "oracle": [shop.retrained(self.shadows + self.pool + r) for r in numbers],
        }
        return {f"pool.{name}": np.stack([n.logits(shown) for n in found]) for name, found in made.items()}

    def run(
        self, model: Blueprint, method: Mapping[str, Classifier], seed: int, shard: Shard, context: RunContext
    ) -> ShardResult:
        shown = _Shop(self, model, seed, context).items()[slice(shard.start, shard.stop)]
        arrays = {name: network.logits(shown) for name, network in method.items()}
        context.progress(len(shard))
        rows = (("weights moved", 0, 0, moved(method["logits"], method["logits_original"])),)
        return ShardResult(arrays, calls={"answers": len(shard)}, activity=rows)

    def outcomes(self, arrays: Mapping[str, Any], beside: Mapping[str, Any], seed: int) -> Outcomes:
        """What metrics of unlearning read. arrays: a cell's artifacts; beside: what was recorded with them."""
        from harness.metrics.unlearning.outcomes import Outcomes, Pool

        labels, concept = self.labels(), None
        if self.scenario == "subclass":
            forget, retain, test = self.rows
            parts = self.pictures.parts
            concept = np.concatenate([parts["train"][forget], parts["train"][retain], parts["test"][test]])
            concept = concept == self.forgotten
        names = ("unlearned", "retrained", "oracle")
        return Outcomes(
            role=self.roles(),
            label=labels,
            logits=arrays["logits"],
            logits_original=arrays["logits_original"],
            logits_retrain=arrays["logits_retrain"],
            retrain_others=tuple(beside[name] for name in sorted(beside) if name.startswith("shadow.")),
            logits_random=arrays["logits_random"],
            forgotten_class=self.forgotten if self.scenario == "class" else None,
            concept=concept,
            seconds_method=float(beside["seconds_method"]) if "seconds_method" in beside else None,
            seconds_retrain=float(beside["seconds_retrain"]) if "seconds_retrain" in beside else None,
            seed=seed,
            pool=Pool(*(beside[f"pool.{name}"] for name in names)) if "pool.oracle" in beside else None,
        )


def moved(edited: Classifier, original: Classifier) -> float:
    """Length of the way that the weights went, over their length."""
    pairs = list(zip(edited.network.parameters(), original.network.parameters(), strict=True))
    way = sum(float((a - b).double().square().sum()) for a, b in pairs)
    length = sum(float(b.double().square().sum()) for _, b in pairs)
    return float(np.sqrt(way / length))


@dataclass(frozen=True)
class _Edited:
    """What a method made, its seconds here, and seconds of trainings that it took over from an earlier run."""

    network: Classifier
    here_s: float
    paid_s: float


@dataclass
class _Shop:
    """Trains what a seed needs, once, and hands it out. `seconds` are those of the trainings, whoever paid them."""

    task: Classification
    model: Blueprint
    seed: int
    context: RunContext
    seconds: dict[str, float] = field(default_factory=dict)

    def examples(self, split: str, rows: Rows) -> Examples:
        """Pictures and labels on the device."""
        import torch

        from harness.models.vision.training import Examples

        pixels = np.ascontiguousarray(self.task.pictures.read(split)[rows].transpose(0, 3, 1, 2))
        labels = torch.from_numpy(self.task.pictures.labels[split][rows])
        return Examples(torch.from_numpy(pixels).to(self.model.device), labels.to(self.model.device))

    def items(self) -> Examples:
        """The task's items, in order."""
        forget, retain, test = self.task.rows
        return self.examples("train", np.concatenate([forget, retain])) + self.examples("test", test)

    def original(self, number: int = 0) -> Classifier:
        cut = self.task.cut
        return self._first("original", number, np.sort(np.concatenate([cut.forget, cut.retain])))

    def retrained(self, number: int = 0) -> Classifier:
        return self._first("retrain", number, self.task.cut.retain)

    def _first(self, what: str, number: int, rows: Rows) -> Classifier:
        made, seconds = self._trained(what, number, rows)
        self.seconds.setdefault(what, seconds)
        return made

    def edited(self, method: Forgetting, original: Classifier, number: int) -> _Edited:
        """The method under its own draws; other numbers are the same method under others."""
        seed = self.seed if number == 0 else int(generator(self.seed, "method", "repeat", number).integers(2**31))
        known, rest = self._told()
        kept = np.sort(np.concatenate([self.task.cut.retain, rest]))  # what a method is not told of looks kept to it
        paid: list[float] = []

        def retrained() -> Classifier:
            began = time.perf_counter()
            made, seconds = self._trained("retrain", -number, kept)  # a repeat is a network of its own
            paid.append(seconds - (time.perf_counter() - began))
            return made

        request = Request(
            forget=self.examples("train", known),
            retain=self.examples("train", kept),
            held_out=self.examples("train", self.task.cut.held_out),
            classes=len(self.task.names),
            forgotten=self.task.forgotten if self.task.scenario == "class" else None,
            fresh=lambda key: self.fresh("method", key, number),
            retrained=retrained,
            charge=self.context.charge if number == 0 else lambda *_: None,
        )
        began = time.perf_counter()
        made = method.edit(original, request, seed)
        return _Edited(made, time.perf_counter() - began, max(0.0, sum(paid)))

    def _told(self) -> tuple[Rows, Rows]:
        """Rows of the forget set that methods are told of, and the others."""
        forget = self.task.cut.forget
        order = generator(self.task.draw, "split", "classification", "known").permutation(len(forget))
        count = max(1, round(self.task.known * len(forget)))
        return np.sort(forget[order[:count]]), np.sort(forget[order[count:]])

    def fresh(self, *key: int | str) -> Classifier:
        import torch

        shape, *scale = self.task.scale
        mean, std = (torch.from_numpy(v) for v in scale)
        return self.model.fresh(shape, len(self.task.names), mean, std, self.seed, *key)

    def _trained(self, what: str, number: int, rows: Rows) -> tuple[Classifier, float]:
        """The network trained on some rows of the training set, and its seconds; read back where it is known."""
        import torch

        from harness.models.vision.training import fit

        made = self.fresh(what, number)
        library = ".".join(torch.__version__.split(".")[:2])
        depends = [TRAINING, self.model.identity, self.task.content(), rows, self.task.cut.retain, library]

        def compute() -> dict[str, NDArray[Any]]:
            began = time.perf_counter()
            fit(made.network, self.examples("train", rows), made.recipe, self.seed, what, number)
            return {**made.arrays(), "seconds": np.array(time.perf_counter() - began)}

        key = digest(["trained", *depends, what, number, self.seed])
        stored = dict(compute() if self.context.cache is None else self.context.cache(key, compute))
        seconds = float(stored.pop("seconds"))
        return made.loaded(stored), seconds
