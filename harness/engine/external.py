"""Outputs made elsewhere as cells of the store: addressed by their content, with their origin in their provenance.

Such a cell has the task part of the suite's cells (same prompts, same denominators), no model and no method of ours, no
costs and no latents. Its address is made of the pixels as read and of how they were read; name, folder, time and author
are provenance. The files' hashes lie beside it in the store (`external/<address>.json`).
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.files import digest_of
from harness.data.fitting import Fit
from harness.data.npz import rows
from harness.data.outputs import Answers, BadOutputs, Item, Source, missing_text
from harness.data.reader import Reader
from harness.engine.cell import Cell, Part
from harness.engine.manifest import Manifest
from harness.engine.provenance import collect, scrub
from harness.engine.status import CellStatus, State
from harness.engine.store import Store
from harness.tasks.task import ShardResult, Task

EXTERNAL = "external"  # name of the method and model parts of such cells
VERSION = 1  # of reading and addressing


def is_external(cell: Cell) -> bool:
    """Whether a cell's artifacts were made elsewhere."""
    return cell.method.name == EXTERNAL


def containers(cell: Cell) -> frozenset[str]:
    """How the images of a cell were kept before the store had them; the store itself is lossless."""
    return frozenset(cell.method.content.get("kept_as", "png").split(","))


def mixes(cell: Cell) -> bool:
    """Whether it was stated that the images' containers may differ from each other and from a reference's."""
    return cell.method.params.get("containers") == "any"


@dataclass(frozen=True)
class Importer:
    """Reads answers into a store.

    task, part, split  of the suite: the items, and how they enter addresses
    reader, fit        how files become pixels
    any_container      PNG and JPEG may be mixed, and compared with references in other containers (metrics.md T4)
    expected           height and width of the suite's own images, None where none are there yet
    origin             who made them, what they were read from: provenance, no identity
    """

    store: Store
    task: Task
    part: Part
    split: str
    reader: Reader
    fit: Fit
    any_container: bool = False
    expected: tuple[int, int] | None = None
    origin: Mapping[str, Any] | None = None

    def cells(self, answers: Answers) -> list[Cell]:
        """One cell a wanted seed, written to the store; a seed with missing images is a failed cell.

        Raises BadOutputs for images of the wrong size, BadImages for files that cannot be read.
        """
        arrays = _Pixels(self.reader, self.fit)
        return [self._cell(answers, seed, arrays) for seed in answers.seeds]

    def _cell(self, answers: Answers, seed: int, arrays: _Pixels) -> Cell:
        table = self.task.items()
        keys = [(seed, int(p), int(k)) for p, k in zip(table.prompt, table.sample, strict=True)]
        digests, kept = self._looked_at(answers, keys, arrays)
        params = {
            "origin": EXTERNAL,
            "containers": "any" if self.any_container else "match",
            **vars(self.reader),
            "fit": self.fit.rule,
            "side": self.fit.side,
        }
        content = {"images": hashlib.blake2b("".join(digests).encode(), digest_size=16).hexdigest()}
        content["kept_as"] = ",".join(sorted(kept)) or "none"
        method = Part(EXTERNAL, VERSION, params, content)
        cell = Cell(self.part, Part(EXTERNAL, VERSION), method, self.split, seed)
        if absent := [k for k in keys if k not in answers.items]:
            reason = missing_text(absent, self.task.texts(), len(keys))
            self.store.fail(cell, CellStatus(State.FAILED, reason))
        else:
            self._write(cell, answers, keys, arrays)
        return cell

    def _looked_at(self, answers: Answers, keys: Sequence[Item], arrays: _Pixels) -> tuple[list[str], set[str]]:
        """Digest of every image ("-" for a missing one) and the containers; all sizes must be one."""
        digests: list[str] = []
        kept: set[str] = set()
        first: tuple[str, tuple[int, ...]] | None = None
        for key in keys:
            source = answers.items.get(key)
            if source is None:
                digests.append("-")
                continue
            pixels, container = arrays.read(source)
            shape = pixels.shape[:2]
            if first is None:
                first = source.name, shape
            other = ("the suite's own images", self.expected) if self.expected else first
            if shape != other[1]:
                (a, b), (c, d) = shape, other[1]
                text = f"{source.name} is {a}×{b}, {other[0]} {'are' if self.expected else 'is'} {c}×{d}"
                raise BadOutputs(
                    [f"{text}; state a rule with --fit crop|stretch|adm and --side N, or scale them yourself"]
                )
            digests.append(digest_of(pixels))
            kept.add(container)
        return digests, kept

    def _write(self, cell: Cell, answers: Answers, keys: Sequence[Item], arrays: _Pixels) -> None:
        records = []
        for shard in self.task.shards():
            images = np.stack([arrays.read(answers.items[k])[0] for k in keys[shard.start : shard.stop]])
            result = ShardResult({"images": images})
            records.append(self.store.write_shard(cell.address, shard, result, self.task.items()))
        files = [
            {"file": source.name, "sha256": arrays.sha256(source), "prompt": p, "sample": s}
            for _, p, s in keys
            for source in [answers.items[cell.seed, p, s]]
        ]
        self.store.put_json(EXTERNAL, cell.address, files)
        imported = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        origin = {"origin": EXTERNAL, "imported": imported, "files": len(files), **(self.origin or {})}
        seen = collect(cell, flags={}, executed={"executor": "harness score", "start": imported})
        manifest = Manifest.compose(cell, EXTERNAL, records, {}, {**seen, EXTERNAL: origin})
        self.store.finish(cell.address, manifest)


@dataclass
class _Pixels:
    """Images by source; an npz is held while it is the one that is read."""

    reader: Reader
    fit: Fit
    _held: tuple[Path, NDArray[np.uint8]] | None = None

    def read(self, source: Source) -> tuple[NDArray[np.uint8], str]:
        if source.row is None:
            pixels, container = self.reader.read(source.file.read_bytes(), source.name)
            return self.fit(pixels), container
        if self._held is None or self._held[0] != source.file:
            found = np.concatenate(list(rows(source.file, "arr_0")))
            if found.dtype != np.uint8 or found.ndim != 4 or found.shape[3] != 3:
                text = f"{source.file.name}: arr_0 is {found.dtype} {found.shape}; expected uint8 (N, H, W, 3)"
                raise BadOutputs([text])
            self._held = source.file, found
        return self.fit(self._held[1][source.row]), "npz"

    def sha256(self, source: Source) -> str:
        """Of the file; of the image's bytes for a row of an npz."""
        data = source.file.read_bytes() if source.row is None else self.read(source)[0].tobytes()
        return hashlib.sha256(data).hexdigest()


def origin_of(images: Path, prompts: Path | None, by: str, note: str) -> dict[str, Any]:
    """Who and from what, for provenance: last names of paths only."""
    return {
        "by": by or "not stated",
        "images": images.resolve().name,
        "prompts": prompts.name if prompts is not None else "",
        "note": scrub(note),
    }
