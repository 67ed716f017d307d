"""The durable records: of an array, of a shard, and of a finished cell (engine.md sections 3 and 9)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.engine.cell import FORMAT, Cell

SEEN_KINDS = "ubiU"  # numpy kinds of arrays that are what a reader sees: images, sound, tokens, texts


@dataclass(frozen=True)
class ArrayRecord:
    """dtype and shape of an array, and the sha256 of both with its values."""

    dtype: str
    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class ShardRecord:
    """What lies beside a shard's npz.

    file, size, sha256   of the npz
    calls                network calls by kind
    seconds              by stage
    memory_mb            peaks by place (host, device)
    activity             rows (name, step, group, value); empty in a cell's manifest, which has the summary
    """

    index: int
    start: int
    stop: int
    file: str
    size: int
    sha256: str
    arrays: Mapping[str, ArrayRecord]
    calls: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    memory_mb: Mapping[str, float] = field(default_factory=dict)
    micro_batch: int = 0
    tries: int = 0
    activity: tuple[tuple[str, int, int, float], ...] = ()

    def same_content(self, other: ShardRecord) -> bool:
        return {k: a.sha256 for k, a in self.arrays.items()} == {k: a.sha256 for k, a in other.arrays.items()}

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> ShardRecord:
        """Raises KeyError, TypeError or ValueError for anything else than `to_json` gave."""
        arrays = {
            str(k): ArrayRecord(a["dtype"], tuple(int(n) for n in a["shape"]), a["sha256"])
            for k, a in record["arrays"].items()
        }
        if "/" in record["file"] or record["file"].startswith("."):
            raise ValueError(f"shard file {record['file']!r} is not a plain name")
        activity = tuple((n, int(t), int(g), float(v)) for n, t, g, v in record["activity"])
        return cls(**{**record, "arrays": arrays, "activity": activity})


@dataclass(frozen=True)
class ActivityRecord:
    """How much a method did, under one name: number of rows, mean value, share of rows not zero, mean by step."""

    rows: int
    mean: float
    active: float
    by_step: Mapping[int, float]


@dataclass(frozen=True)
class Manifest:
    """A finished cell. `content` names the values of every array over all shards."""

    cell: Cell
    items: int
    device: str
    shards: tuple[ShardRecord, ...]
    content: Mapping[str, str]
    seconds: Mapping[str, float]
    calls: Mapping[str, int]
    memory_mb: Mapping[str, float]
    micro_batch: int
    tries: int
    activity: Mapping[str, ActivityRecord]
    provenance: Mapping[str, Any]

    @classmethod
    def compose(
        cls,
        cell: Cell,
        device: str,
        shards: Sequence[ShardRecord],
        seconds: Mapping[str, float],
        provenance: Mapping[str, Any],
        calls: Mapping[str, int] | None = None,
    ) -> Manifest:
        """From the shards' records; `seconds` and `calls` are those outside of shards (load, prepare; pilots)."""
        from dataclasses import replace

        return cls(
            cell=cell,
            items=sum(s.stop - s.start for s in shards),
            device=device,
            shards=tuple(replace(s, activity=()) for s in shards),
            content=_content(shards),
            seconds={**seconds, **_sums([s.seconds for s in shards])},
            calls={k: int(v) for k, v in _sums([*(s.calls for s in shards), calls or {}]).items()},
            memory_mb=_peaks([s.memory_mb for s in shards]),
            micro_batch=min((s.micro_batch for s in shards), default=0),
            tries=sum(s.tries for s in shards),
            activity=_activity([row for s in shards for row in s.activity]),
            provenance=provenance,
        )

    def seen(self) -> dict[str, str]:
        """Digests of what a reader sees: the whole-number arrays (images, tokens) where there are any, else all.

        The keys of the items are whole numbers too, and alone say nothing.
        """
        names = [k for k, a in self.shards[0].arrays.items() if a.dtype[1:2] in SEEN_KINDS] if self.shards else []
        told = any(not k.startswith("item.") for k in names)
        return {k: self.content[k] for k in (names if told else self.content)}

    def to_json(self) -> dict[str, Any]:
        record = asdict(self)
        return {"format": FORMAT, "status": "ok", "address": self.cell.address, **record}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Manifest:
        """Raises KeyError, TypeError or ValueError for anything else than `to_json` gave."""
        fields = {k: v for k, v in record.items() if k not in ("format", "status", "address")}
        fields["cell"] = Cell.from_spec(record["cell"])
        fields["shards"] = tuple(ShardRecord.from_json(s) for s in record["shards"])
        fields["activity"] = {
            k: ActivityRecord(a["rows"], a["mean"], a["active"], {int(t): v for t, v in a["by_step"].items()})
            for k, a in record["activity"].items()
        }
        return cls(**fields)


def _content(shards: Sequence[ShardRecord]) -> dict[str, str]:
    """sha256 over the shards' hashes: depends on the values and on the shard layout, on nothing else."""
    names = sorted(shards[0].arrays) if shards else []
    return {n: hashlib.sha256("".join(s.arrays[n].sha256 for s in shards).encode()).hexdigest() for n in names}


def _sums(mappings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    keys = dict.fromkeys(k for m in mappings for k in m)
    return {k: sum(m.get(k, 0) for m in mappings) for k in keys}


def _peaks(mappings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    keys = dict.fromkeys(k for m in mappings for k in m)
    return {k: max(m.get(k, 0.0) for m in mappings) for k in keys}


def _activity(rows: Sequence[tuple[str, int, int, float]]) -> dict[str, ActivityRecord]:
    result = {}
    for name in dict.fromkeys(r[0] for r in rows):
        mine = [r for r in rows if r[0] == name]
        steps: dict[int, list[float]] = {}
        for _, step, _, value in mine:
            steps.setdefault(step, []).append(value)
        result[name] = ActivityRecord(
            rows=len(mine),
            mean=sum(r[3] for r in mine) / len(mine),
            active=sum(r[3] != 0 for r in mine) / len(mine),
            by_step={t: sum(v) / len(v) for t, v in sorted(steps.items())},
        )
    return result
