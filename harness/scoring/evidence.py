"""Evidence: from stored artifacts to what metrics ask for, each image through each network once.

Features and predictions are stored by (content of the images, extractor with its weights' hash), in float32; a second
metric, a second run or a repaired metric reads them back.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.files import digest_of as pixels_digest
from harness.data.files import duplicate_rate
from harness.data.image_set import ImageSet
from harness.data.reader import kinds_of
from harness.data.statistics import Statistics
from harness.engine.cell import digest_of
from harness.engine.external import containers, mixes
from harness.engine.store import Store
from harness.metrics.faces.view import NONE, Cast, FaceView
from harness.metrics.feature_moments import FeatureMoments
from harness.metrics.metric import CannotMeasure, Evidence, Items, Need, ScoreStatus
from harness.metrics.unlearning.outcomes import Outcomes
from harness.models import judges
from harness.models.determinism import full_precision
from harness.scoring.extractors import BATCH, Network, batch_of, confusion, find, one_pass
from harness.scoring.face_views import cast, face_view
from harness.scoring.long_rows import LongRows
from harness.tasks.task import Task

WORLDS = {"avatars": "harness.worlds.avatars.truth", "digits": "harness.worlds.digits.truth"}
LATENT = "latent"  # the model's own latent space: stored with the artifacts, encoded for data sets
KEPT = 2**28  # bytes of a cell's long rows that are stored; more are computed when asked for
HELD = 2**30  # bytes of images of a data set kept for several networks; larger sets are read again, block by block


@dataclass
class _CellArrays:
    """What the metrics of one cell share: its artifacts, and what networks made of them."""

    address: str
    content: str
    arrays: Mapping[str, NDArray[Any]]
    passes: dict[tuple[str, str], dict[str, NDArray[Any]]] = field(default_factory=dict)


@dataclass
class Source:
    """Builds evidence for the cells of one suite.

    encode   uint8 images → (N, D) latents of the suite's model, for data sets in the space `latent`
    model    digest of the model's weights, which name that space
    """

    store: Store
    task: Task
    sets: Mapping[str, ImageSet]
    device: str
    model: str
    encode: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    seed: int
    extracted: int = 0  # images passed through networks, for the test that nothing is computed twice
    _loaded: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    _shared: dict[tuple[str, str], NDArray[np.float32]] = field(default_factory=dict)
    _texts: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict)
    _networks: dict[tuple[str, str], Network] = field(default_factory=dict)
    _cell: _CellArrays | None = None

    def items(self) -> Items:
        table = self.task.items()
        return Items(table.prompt, table.sample, table.group, self.task.texts())

    def digests(self, needs: Iterable[Need]) -> dict[str, str]:
        """Digest of every data role that the needs name."""
        roles = {n.role for n in needs} - {"generated"}
        return {role: self.sets[role].digest(self.task.texts()) for role in sorted(roles & set(self.sets))}

    def build(self, address: str, needs: Iterable[Need]) -> Evidence:
        """Evidence for one finished cell and the needs of one metric; what its metrics share is read once."""
        wanted = set(needs)
        if self._cell is None or self._cell.address != address:
            self._cell = _CellArrays(address, self.store.content(address), self.store.arrays(address))
        arrays, content = self._cell.arrays, self._cell.content
        self._same_containers(address, wanted)
        if Need("features", name=LATENT) in wanted and "latents" not in arrays:
            raise CannotMeasure(ScoreStatus.UNDEFINED, "no latents: images made elsewhere come without them")
        features: dict[tuple[str, str], Any] = {}
        images: dict[str, NDArray[Any]] = {}
        predictions: dict[str, dict[str, NDArray[Any]]] = {}
        texts: dict[str, dict[str, NDArray[Any]]] = {}
        judged: dict[str, Mapping[str, NDArray[Any]]] = {}
        seen: dict[tuple[str, str], FaceView] = {}
        of_source: dict[str, dict[str, NDArray[Any]]] = {}
        for need in sorted(wanted, key=str):
            if need.kind == "faces":
                by = NONE if need.role == "generated" else need.role
                seen[need.name, "" if by == NONE else by] = self._face_view(need.name, by, arrays, content)
                continue
            if need.role != "generated" and need.role not in self.sets:
                continue  # an optional role (held-out data): the metric does without
            if need.kind == "images":
                images[need.role] = arrays["images"] if need.role == "generated" else self._images(need.role)
            elif need.kind == "features" and (known := self._moments(need)) is not None:
                features[need.role, need.name] = known
            elif need.kind == "features":
                long = self._long(need, arrays)
                features[need.role, need.name] = self._features(need, arrays, content) if long is None else long
            elif need.kind == "texts":
                texts[need.name] = self._embedded(need.name)
            elif need.kind == "predictions" and need.role != "generated":
                digest = self.sets[need.role].digest(self.task.texts())
                of_source[need.name] = self._pass(need, digest, partial(self._blocks, need.role))
            elif need.kind == "predictions":
                predictions[need.name] = self._generated(need, arrays, content)
            elif need.kind == "judged":
                judged[need.name] = self._judged(need.name, arrays, content)
        kinds = {n.kind for n in wanted}
        worlds = {n.name for n in wanted if n.kind in ("expected", "targets", "predictions")}
        truth = [self._truth(world) for world in sorted(worlds)]
        return Evidence(
            items=self.items(),
            images=images,
            features=features,
            texts={name: t["features"] for name, t in texts.items()},
            cut={name: t["cut"] for name, t in texts.items()},
            predictions=predictions,
            expected={k: v for t in truth for k, v in t["expected"].items()},
            targets={k: v for t in truth for k, v in t["targets"].items()},
            confusion={n.name: confusion(n.name) for n in wanted if n.kind == "predictions"},
            classes={k: v for t in truth for k, v in t["classes"].items()},
            digests={"generated": content, **self.digests(wanted)},
            judged=judged,
            outputs=arrays.get("texts") if "outputs" in kinds else None,
            references=self.task.references() if "references" in kinds else (),
            search=self._search(address, arrays) if "search" in kinds else {},
            cast=self._cast(address) if "cast" in kinds else None,
            faces=seen,
            of_source=of_source,
            outcomes=self._outcomes(address, arrays) if "outcomes" in kinds else None,
            seed=self.seed,
        )

    def _same_containers(self, address: str, needs: Iterable[Need]) -> None:
        """Raises CannotMeasure where PNG meets JPEG without a word of the user (metrics.md T4)."""
        manifest = self.store.manifest(address)
        cell = None if manifest is None else manifest.cell
        ours = kinds_of(containers(cell)) if cell is not None else frozenset({"lossless"})
        stated = cell is not None and mixes(cell)
        if len(ours) > 1 and not stated:
            text = f"the images are a mixture of {', '.join(sorted(ours))} files; score them with --containers any"
            raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, text)
        for role in sorted({n.role for n in needs if n.kind in ("images", "features")} & set(self.sets)):
            theirs = kinds_of(self.sets[role].kept_as(self.task.texts()))
            if theirs != ours and not stated and not self.sets[role].mixes:
                found = f"{role} images were kept as {', '.join(sorted(theirs))}, the generated ones as {min(ours)}"
                hint = "state `containers: any` at the data set where that is wanted"
                raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"{found}; {hint}")

    def inputs(self, address: str, needs: Iterable[Need]) -> dict[str, dict[str, Any]]:
        """Digest and rate of duplicates of every role that a metric saw (metrics.md T13, T25, T33)."""
        texts, roles = self.task.texts(), sorted({n.role for n in needs} & set(self.sets))
        ours = {"digest": self.store.content(address), "duplicates": self.duplicates(address)}
        others = {
            r: {"digest": self.sets[r].digest(texts), "duplicates": self.sets[r].duplicates(texts)} for r in roles
        }
        return {"generated": ours, **others}

    def duplicates(self, address: str) -> float | None:
        """Share of a finished cell's images that repeat another one of it, pixel for pixel; None without images."""
        content = self.store.content(address)
        known = self.store.json("facts", content)
        if known is None:
            held = self._cell if self._cell is not None and self._cell.address == address else None
            arrays = held.arrays if held is not None else self.store.arrays(address)
            images = arrays.get("images")
            known = {"duplicates": None if images is None else duplicate_rate([pixels_digest(i) for i in images])}
            self.store.put_json("facts", content, known)
        rate = known["duplicates"]
        return None if rate is None else float(rate)

    def rows(self, role: str, name: str) -> NDArray[np.float32]:
        """(N, D) features of a whole data set. Raises CannotMeasure for one that is a statistics file."""
        return self._features(Need("features", role, name), {}, "")

    def _moments(self, need: Need) -> FeatureMoments | None:
        """The moments in a statistics file; raises CannotMeasure where they are of another network (metrics.md T15)."""
        if not isinstance(found := self.sets.get(need.role), Statistics):
            return None
        digest = self.model if need.name == LATENT else find(need.kind, need.name).digest
        if not found.stated.of(need.name, digest):
            text = f"the {need.role} statistics are of {found.stated.title}, the metric reads {need.name}@{digest[:8]}"
            raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, text)
        return found.stated.moments

    def _images(self, role: str) -> NDArray[np.uint8]:
        if isinstance(found := self.sets[role], Statistics):
            raise CannotMeasure(ScoreStatus.UNDEFINED, found.stated.moments.says(role))
        if role not in self._loaded:
            self._loaded[role] = self.sets[role].load(self.task.texts()).images
        return self._loaded[role]

    def _features(self, need: Need, arrays: Mapping[str, NDArray[Any]], content: str) -> NDArray[np.float32]:
        if need.role == "generated":
            if need.name == LATENT:
                return np.asarray(arrays["latents"], dtype=np.float32)
            return self._generated(need, arrays, content)["features"]
        at = (need.role, need.name)
        if at not in self._shared:
            digest = self.sets[need.role].digest(self.task.texts())
            if need.name == LATENT:
                key = digest_of({"latents-of": digest, "model": self.model})
                stored = self.store.derived(key, lambda: {"features": self.encode(self._images(need.role))})
                self._shared[at] = stored["features"]
            else:
                self._shared[at] = self._pass(need, digest, lambda n: self._blocks(need.role, n))["features"]
        return self._shared[at]

    def _long(self, need: Need, arrays: Mapping[str, NDArray[Any]]) -> LongRows | None:
        """Rows on demand where an extractor's are long and all of them too many to keep."""
        if need.name == LATENT or not find(need.kind, need.name).long:
            return None
        images = arrays["images"] if need.role == "generated" else self._images(need.role)
        network = self._network(need)
        width = one_pass(network, images[:1], self.device)["features"].shape[1]
        if 4 * width * len(images) <= KEPT:
            return None

        def compute(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            self.extracted += len(pixels)
            return one_pass(network, pixels, self.device)["features"]

        return LongRows(images, width, compute, batch_of(network, images))

    def _network(self, need: Need) -> Network:
        if (at := (need.kind, need.name)) not in self._networks:
            self._networks[at] = find(need.kind, need.name).open(self.device)
        return self._networks[at]

    def _blocks(self, role: str, count: int) -> Iterable[NDArray[np.uint8]]:
        """A data set whole where it may be held, else in blocks."""
        if role not in self._loaded and self.sets[role].size_bytes(self.task.texts()) > HELD:
            return (block.images for block in self.sets[role].blocks(self.task.texts(), count))
        return [self._images(role)]

    def _generated(self, need: Need, arrays: Mapping[str, NDArray[Any]], content: str) -> dict[str, NDArray[Any]]:
        assert self._cell is not None
        if (need.kind, need.name) not in self._cell.passes:
            self._cell.passes[need.kind, need.name] = self._pass(need, content, lambda _: [arrays["images"]])
        return self._cell.passes[need.kind, need.name]

    def _pass(
        self, need: Need, content: str, images: Callable[[int], Iterable[NDArray[np.uint8]]]
    ) -> dict[str, NDArray[np.float32]]:
        """images: blocks of so many at most, whole batches each, so that cutting changes no byte."""
        extractor = find(need.kind, need.name)

        def compute() -> dict[str, NDArray[np.float32]]:
            network, parts = self._network(need), []
            for pixels in images(8 * int(getattr(network, "batch", BATCH))):
                self.extracted += len(pixels)
                parts.append(one_pass(network, pixels, self.device))
            return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}

        key = digest_of({"images": content, "extractor": extractor.name, "weights": extractor.digest})
        return self.store.derived(key, compute)

    def _judged(self, name: str, arrays: Mapping[str, NDArray[Any]], content: str) -> Mapping[str, NDArray[Any]]:
        """What a judge says of every item, stored by the artifacts, the judge and what the task knows of the items."""
        judge = judges.find(name)
        if lacking := [r for r in judge.reads if r not in arrays]:
            raise CannotMeasure(ScoreStatus.UNDEFINED, f"judge {name!r} reads {lacking[0]}, which this cell has not")
        if absent := judge.missing():
            raise CannotMeasure(ScoreStatus.FAILED, str(absent[0]))
        read = {r: arrays[r] for r in (*judge.reads, *(["lengths"] if "audio" in judge.reads else []))}
        return self.store.derived(
            self.judgement(name, content),
            lambda: judges.opened(name, self.device)(read, self.task.facts()),
            kind="judgements",
        )

    def judgement(self, name: str, content: str) -> str:
        """Where the store keeps what a judge says of artifacts of that content."""
        identity = judges.identity(judges.find(name))
        return digest_of({"judged": content, "judge": identity, "inputs": self.task.content()})

    def _face_view(self, name: str, by: Any, arrays: Mapping[str, NDArray[Any]], content: str) -> FaceView:
        return face_view(self.store, self.task.faces(), self.device, name, by, arrays["images"], content)

    def _cast(self, address: str) -> Cast:
        surrogates = self.store.search(address).get("surrogates", np.array([], dtype=np.str_))
        return cast(self.task.faces(), tuple(str(s) for s in surrogates))

    def _search(self, address: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The trace of a cell's search, with what the tune judge says of the report items."""
        own = {k: arrays[k] for k in ("tune_loss", "best") if k in arrays}
        return {**self.store.search(address), **own}

    def _outcomes(self, address: str, arrays: Mapping[str, NDArray[Any]]) -> Outcomes:
        """The logits of an unlearned classifier beside its original and Retrain, as the task names them."""
        manifest = self.store.manifest(address)
        seed = 0 if manifest is None else manifest.cell.seed
        return self.task.outcomes(arrays, self.store.search(address), seed)

    def _embedded(self, name: str) -> dict[str, NDArray[Any]]:
        """The prompts through a network's text tower: features (P, D), cut (P,)."""
        if name not in self._texts:
            extractor, prompts = find("features", name), self.task.texts()
            if (tower := extractor.text) is None:
                raise ValueError(f"extractor {name!r} reads no text")

            def compute() -> dict[str, NDArray[Any]]:
                with full_precision(self.device):
                    rows, cut = tower(self.device)(prompts)
                return {"features": rows, "cut": cut}

            key = digest_of({"texts": list(prompts), "extractor": name, "weights": extractor.digest})
            self._texts[name] = self.store.derived(key, compute)
        return self._texts[name]

    def _truth(self, world: str) -> dict[str, Any]:
        """What the world knows of the prompts: stated classes per item, wanted shares per prompt."""
        module = importlib.import_module(WORLDS[world])
        classes: dict[str, tuple[str, ...]] = module.classes()
        table, prompts = self.task.items(), self.task.texts()
        stated = [module.expected(p) for p in prompts]
        shares = [module.target(p) for p in prompts]
        index = {a: {c: i for i, c in enumerate(cs)} for a, cs in classes.items()}
        expected = {a: np.array([index[a][s[a]] if a in s else -1 for s in stated])[table.prompt] for a in classes}
        targets = {
            a: np.array([t[a] if a in t else np.full(len(cs), np.nan) for t in shares], dtype=np.float64)
            for a, cs in classes.items()
        }
        return {"expected": expected, "targets": targets, "classes": classes}
