"""The store: artifacts, scores and derived arrays by content address (engine.md section 3).

    cells/ab/<address>/manifest.json        written last: without it the cell is not there
    cells/ab/<address>/shard-00003.npz      arrays and item keys of a shard; shard-00003.json, its record, beside it
    cells/ab/<address>/failure.json         status of a cell that ended otherwise, with failure.txt, its traceback
    conflict/ab/<address>/…                 second content of one address: kept aside, the cell is `nondeterministic`
    features/cd/<key>.npz                   derived arrays;  scores/cd/<key>.json  scores
    evaluations/cd/<key>.npz                what a search was told of a candidate;  searches/ab/<address>.npz  its trace
    references/cd/<key>.d/                  memory-mapped sets (data/references.py)
    specs/<address>-<digest>.json           what workers were given;  leases/<address>  who works on what

All writes are atomic and may be repeated. What is damaged counts as missing, so that resuming repairs it.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.engine.arrays import Damaged, digest, pack, unpack
from harness.engine.cell import FORMAT, Cell
from harness.engine.files import read_json, sweep, write_bytes, write_json
from harness.engine.manifest import ArrayRecord, Manifest, ShardRecord
from harness.engine.status import NONDETERMINISTIC, NOT_RUN, CellStatus, State
from harness.tasks.task import ItemTable, Shard, ShardResult

Arrays = dict[str, NDArray[Any]]
ITEM_KEYS = ("item.prompt", "item.sample", "item.group")
_SAFE = re.compile(r"[0-9a-f]{16,64}")


@dataclass(frozen=True)
class StoredCell:
    """A finished cell: its manifest, and its arrays on demand."""

    address: str
    folder: Path
    manifest: Manifest
    flags: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the artifacts."""
        return tuple(n for n in self.manifest.content if n not in ITEM_KEYS)

    @property
    def content(self) -> str:
        """One digest of what a reader sees, for caches of what is computed from it."""
        return hashlib.blake2b(str(sorted(self.manifest.seen().items())).encode(), digest_size=16).hexdigest()

    def arrays(self, *names: str) -> Arrays:
        """Whole arrays, items on axis 0, checked against their hash; all of them without names. Raises Damaged."""
        wanted = names or self.names
        parts = [_load(self.folder, s) for s in self.manifest.shards]
        return {n: np.concatenate([p[n] for p in parts]) for n in wanted}

    def items(self) -> ItemTable:
        """The keys stored with the items."""
        columns = self.arrays(*ITEM_KEYS)
        return ItemTable(*(columns[k] for k in ITEM_KEYS))

    @cached_property
    def activity(self) -> tuple[tuple[str, int, int, float], ...]:
        """All rows (name, step, group, value) of what the method did."""
        records = [_record(self.folder, s.index) for s in self.manifest.shards]
        return tuple(row for r in records if r is not None for row in r.activity)

    @property
    def seconds(self) -> float:
        """Seconds of work. Loading the model and work for many cells are left out: who pays depends on their order."""
        return float(sum(v for k, v in self.manifest.seconds.items() if k not in ("load", "shared")))

    @property
    def peak_memory_mb(self) -> float | None:
        """Peak on the device, or of the process where there is no other device."""
        peaks = self.manifest.memory_mb
        return peaks.get("device", peaks.get("host"))


@dataclass(frozen=True)
class Failure:
    """How a cell ended when not ok; `cell` is its spec."""

    status: CellStatus
    cell: Cell


class Store:
    """A folder. Any number of processes may share it."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._specs: dict[str, Cell] = {}

    # --- cells --------------------------------------------------------------------------------------------------------

    def folder(self, address: str) -> Path:
        return self.root / "cells" / address[:2] / address

    def cell(self, address: str) -> StoredCell | None:
        """The finished cell, or None: no manifest, or a shard that is gone, cut or changed after it was recorded."""
        manifest = self.manifest(address)
        if manifest is None:
            return None
        folder = self.folder(address)
        try:
            recorded = (folder / "manifest.json").stat().st_mtime_ns
            for shard in manifest.shards:
                stat = (folder / shard.file).stat()
                if stat.st_size != shard.size:
                    return None
                if stat.st_mtime_ns > recorded and _hash(folder / shard.file) != shard.sha256:
                    return None
        except OSError:
            return None
        return StoredCell(address, folder, manifest, self._flags(address))

    def manifest(self, address: str) -> Manifest | None:
        """The manifest alone, whether or not the shards are there."""
        return _manifest(self.folder(address) / "manifest.json", address)

    def arrays(self, address: str, *names: str) -> Arrays:
        """Arrays of a finished cell. Raises KeyError when it is not there, Damaged when a shard is not what it was."""
        return self._stored(address).arrays(*names)

    def content(self, address: str) -> str:
        """Digest of what a reader sees of a finished cell. Raises KeyError."""
        return self._stored(address).content

    def _stored(self, address: str) -> StoredCell:
        stored = self.cell(address)
        if stored is None:
            raise KeyError(f"cell {address} is not in the store {self.root}")
        return stored

    def status(self, address: str) -> CellStatus:
        """What the store knows: ok, how it ended otherwise, or not-run. Leases are not looked at."""
        stored = self.cell(address)
        if stored is not None:
            return CellStatus(State.OK, flags=stored.flags)
        failure = self.failure(address)
        return NOT_RUN if failure is None else failure.status

    def failure(self, address: str) -> Failure | None:
        record = read_json(self.folder(address) / "failure.json")
        with contextlib.suppress(KeyError, TypeError, ValueError):
            return Failure(CellStatus.from_json(record["status"]), Cell.from_spec(record["cell"]))
        return None

    def fail(self, cell: Cell, status: CellStatus, traceback: str = "") -> None:
        """Record how a cell ended when not ok. Raises OSError."""
        folder = self.folder(cell.address)
        if traceback:
            write_bytes(folder / "failure.txt", traceback.encode())
        write_json(folder / "failure.json", {"status": status.to_json(), "cell": cell.spec()})

    def shards(self, address: str) -> dict[int, ShardRecord]:
        """Records of the shards whose bytes are what they were when written."""
        folder = self.folder(address)
        result = {}
        for path in sorted(folder.glob("shard-*.json")):
            record = _shard_record(path)
            with contextlib.suppress(OSError):
                if record is not None and _hash(folder / record.file) == record.sha256:
                    result[record.index] = record
        return result

    def write_shard(
        self,
        address: str,
        shard: Shard,
        result: ShardResult,
        items: ItemTable,
        *,
        seconds: Mapping[str, float] | None = None,
        memory_mb: Mapping[str, float] | None = None,
    ) -> ShardRecord:
        """Write a shard and its record. Other content than what is there goes to conflict/ and what is there stays.

        Raises ValueError when an array has not one row an item, TypeError for arrays of objects, OSError.
        """
        arrays = {k: np.asarray(v) for k, v in result.arrays.items()}
        for name, array in arrays.items():
            if array.ndim == 0 or len(array) != len(shard):
                raise ValueError(f"array {name!r} of shape {array.shape} for a shard of {len(shard)} items")
        columns = (items.prompt, items.sample, items.group)
        arrays.update({k: c[shard.start : shard.stop] for k, c in zip(ITEM_KEYS, columns, strict=True)})
        data = pack(arrays)
        record = ShardRecord(
            index=shard.index,
            start=shard.start,
            stop=shard.stop,
            file=f"shard-{shard.index:05d}.npz",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            arrays={k: ArrayRecord(a.dtype.str, a.shape, digest(a)) for k, a in arrays.items()},
            calls=dict(result.calls),
            seconds=dict(seconds or {}),
            memory_mb=dict(memory_mb or {}),
            micro_batch=result.micro_batch,
            tries=result.tries,
            activity=tuple((n, int(t), int(g), float(v)) for n, t, g, v in result.activity),
        )
        folder = self.folder(address)
        there = self._intact(folder, shard)
        if there is not None and not there.same_content(record):
            self._keep_aside(address, there, record, data)
            return there
        if there is None:
            before = self._recorded(address, shard)
            if before is not None and not before.same_content(record):
                self._keep_aside(address, before, record, None)
            write_bytes(folder / record.file, data, lasting=False)
        # a shard without its record, or the other way round, counts as missing: one sync of the folder serves both
        write_json(_beside(folder, shard.index), record.to_json())
        return record

    def _intact(self, folder: Path, shard: Shard) -> ShardRecord | None:
        record = _record(folder, shard.index)
        if record is None or (record.start, record.stop) != (shard.start, shard.stop):
            return None
        with contextlib.suppress(OSError):
            if _hash(folder / record.file) == record.sha256:
                return record
        return None

    def _recorded(self, address: str, shard: Shard) -> ShardRecord | None:
        """What the manifest says of a shard that is gone."""
        manifest = self.manifest(address)
        same = [s for s in manifest.shards if (s.start, s.stop) == (shard.start, shard.stop)] if manifest else []
        return same[0] if same else None

    def _keep_aside(self, address: str, first: ShardRecord, second: ShardRecord, data: bytes | None) -> None:
        folder = self.root / "conflict" / address[:2] / address
        stem = f"{second.file.removesuffix('.npz')}-{second.sha256[:16]}"
        if data is not None:
            write_bytes(folder / f"{stem}.npz", data)
        records = [replace(r, activity=()).to_json() for r in (first, second)]
        write_json(folder / f"{stem}.json", {"kept": records[0], "aside": records[1]})

    def _flags(self, address: str) -> frozenset[str]:
        folder = self.root / "conflict" / address[:2] / address
        return frozenset({NONDETERMINISTIC} if folder.is_dir() else ())

    def finish(self, address: str, manifest: Manifest) -> None:
        """Write the manifest: from here on the cell is there. Raises ValueError for another cell's, OSError."""
        if manifest.cell.address != address:
            raise ValueError(f"manifest of cell {manifest.cell.address} given for {address}")
        folder = self.folder(address)
        write_json(folder / "manifest.json", manifest.to_json())
        for name in ("failure.json", "failure.txt"):
            with contextlib.suppress(OSError):
                (folder / name).unlink(missing_ok=True)

    def sweep(self, address: str) -> None:
        """Remove what killed writers left of a cell; only for the holder of its lease."""
        sweep(self.folder(address))

    def manifests(self) -> Iterator[Manifest]:
        """All manifests, in order of address."""
        for path in sorted(self.root.glob("cells/*/*/manifest.json")):
            manifest = _manifest(path, path.parent.name)
            if manifest is not None:
                yield manifest

    def specs(self) -> Iterator[Cell]:
        """The spec of every cell that ended, well or not. An address has one spec, so each is read once."""
        for folder in sorted(self.root.glob("cells/*/*")):
            address = folder.name
            if address not in self._specs:
                ended = self.manifest(address) or self.failure(address)
                if ended is not None:
                    self._specs[address] = ended.cell
            if address in self._specs:
                yield self._specs[address]

    def damaged(self, address: str) -> tuple[str, ...]:
        """Names of the files of a cell that are gone or are not what the manifest says; every byte is read."""
        manifest = self.manifest(address)
        result = []
        for shard in manifest.shards if manifest else ():
            try:
                intact = _hash(self.folder(address) / shard.file) == shard.sha256
            except OSError:
                intact = False
            if not intact:
                result.append(shard.file)
        return tuple(result)

    # --- derived arrays and scores ------------------------------------------------------------------------------------

    def derived(self, key: str, compute: Callable[[], Mapping[str, NDArray[Any]]], *, kind: str = "features") -> Arrays:
        """Arrays under a key that names all they depend on; computed and stored when missing or damaged."""
        path = self._at(kind, key, "npz")
        with contextlib.suppress(OSError, Damaged):
            return unpack(path.read_bytes())
        arrays = {k: np.asarray(v) for k, v in compute().items()}
        write_bytes(path, pack(arrays))
        return arrays

    def put_search(self, address: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep what the search of a cell did. Raises OSError."""
        write_bytes(self._at("searches", address, "npz"), pack(dict(arrays)))

    def search(self, address: str) -> Arrays:
        """What the search of a cell did; {} for a cell without one. Raises Damaged."""
        try:
            return unpack(self._at("searches", address, "npz").read_bytes())
        except FileNotFoundError:
            return {}

    def mapped(self, key: str) -> Path:
        """A folder for memory-mapped arrays under a key that names all they depend on; the writer marks it finished."""
        return self._at("references", key, "d")

    def json(self, kind: str, key: str) -> Any | None:
        """The JSON value stored under (kind, key), or None."""
        return read_json(self._at(kind, key, "json"))

    def put_json(self, kind: str, key: str, value: Any) -> None:
        """Store a JSON value. Raises ValueError for NaN and infinities, OSError."""
        write_json(self._at(kind, key, "json"), value)

    def _at(self, kind: str, key: str, suffix: str) -> Path:
        if not re.fullmatch(r"[a-z_]+", kind):
            raise ValueError(f"kind {kind!r} of stored values is not a lower-case word")
        name = key if _SAFE.fullmatch(key) else hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        return self.root / kind / name[:2] / f"{name}.{suffix}"


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(folder: Path, index: int) -> Path:
    return folder / f"shard-{index:05d}.json"


def _record(folder: Path, index: int) -> ShardRecord | None:
    return _shard_record(_beside(folder, index))


def _shard_record(path: Path) -> ShardRecord | None:
    record = read_json(path)
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        return ShardRecord.from_json(record)
    return None


def _manifest(path: Path, address: str) -> Manifest | None:
    record = read_json(path)
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        if record["format"] == FORMAT and record["address"] == address:
            return Manifest.from_json(record)
    return None


def _load(folder: Path, shard: ShardRecord) -> Arrays:
    data = (folder / shard.file).read_bytes()
    if hashlib.sha256(data).hexdigest() != shard.sha256:
        raise Damaged(f"{shard.file} of cell {folder.name} is damaged; running the suite again repairs it")
    return unpack(data)
