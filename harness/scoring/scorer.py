"""Scores of cells: every metric on every finished cell, stored under an address of their own.

A score's address is made of the artifact address, the metric id, the hashes of the references and the metric's version,
so a repaired metric re-scores without re-generating (engine.md section 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.engine.cell import digest_of
from harness.metrics.metric import CannotMeasure, Evidence, Measurement, Metric, ScoreStatus
from harness.models import faces, judges
from harness.scoring.evidence import LATENT, Source
from harness.scoring.extractors import find
from harness.stats.units import UnitKind, Units

READER = "rgb8-png"  # uint8 RGB straight from the lossless store; no resize before the extractors' own size


@dataclass(frozen=True)
class Scored:
    """One metric on one cell: a measurement, or a status and a reason."""

    metric: Metric
    metric_id: str
    status: ScoreStatus
    reason: str = ""
    measurement: Measurement | None = None


@dataclass
class Scorer:
    """Scores cells of one suite. Only what is not yet stored is computed."""

    source: Source
    metrics: Sequence[Metric]
    ids: dict[Metric, str] = field(init=False)

    def __post_init__(self) -> None:
        self.ids = {m: str(m.identify(self._context(m))) for m in self.metrics}

    def _context(self, metric: Metric) -> list[tuple[str, str]]:
        """The protocol fields of an id: reader, extractors with weights, references with size and hash, n."""
        task, sets = self.source.task, self.source.sets
        fields: dict[str, str] = {}
        for need in metric.needs():
            if need.kind in ("features", "predictions"):
                found = None if need.name == LATENT else find(need.kind, need.name)
                fields[need.name] = (self.source.model if found is None else found.digest)[:8]
                fields.update(() if found is None else found.protocol)
            if need.kind in ("images", "features", "predictions"):
                fields["reader"] = READER
            if need.kind == "faces":
                fields[need.name] = faces.find(need.name).identity()[:8]
            if need.kind == "judged":
                fields[need.name] = judges.identity(judges.find(need.name))[:8]
            if need.kind in ("judged", "references", "search", "faces", "cast", "outcomes"):
                fields["inputs"] = digest_of(dict(task.content()))[:8]
            if need.role in sets:
                size, digest = sets[need.role].size(task.texts()), sets[need.role].digest(task.texts())
                fields[need.role] = f"{sets[need.role].title}:{size}:{digest[:8]}"
        n, prompts = len(task.items()), len(task.texts())
        return [*fields.items(), ("n", str(n)), ("per_prompt", f"{n / prompts:g}")]

    def address(self, cell: str, metric: Metric) -> str:
        return digest_of(
            {
                "artifact": cell,
                "metric": self.ids[metric],
                "references": self.source.digests(metric.needs()),
                "seed": self.source.seed,
            }
        )

    def score(self, cell: str) -> Iterator[Scored]:
        """Scores of one finished cell: stored ones read back, the missing ones computed."""
        for metric in self.metrics:
            record = self.source.store.json("scores", self.address(cell, metric))
            if record is not None:
                yield _scored(metric, self.ids[metric], record)
                continue
            scored = self._computed(cell, metric)
            if scored.status is not ScoreStatus.FAILED:  # a crash is not a result: it is tried again
                record = {**_record(scored), "inputs": self.source.inputs(cell, metric.needs())}
                self.source.store.put_json("scores", self.address(cell, metric), record)
            yield scored

    def _computed(self, cell: str, metric: Metric) -> Scored:
        """One broken metric, or missing weights of one network, never stop the others."""
        try:
            evidence = self.source.build(cell, metric.needs())
        except CannotMeasure as refusal:
            return Scored(metric, self.ids[metric], refusal.status, refusal.reason)
        except Exception as error:
            return Scored(metric, self.ids[metric], ScoreStatus.FAILED, f"{type(error).__name__}: {error}")
        return measure(metric, self.ids[metric], evidence)

    def missing(self, cell: str) -> int:
        """How many metrics of a cell are not stored yet."""
        return sum(self.source.store.json("scores", self.address(cell, m)) is None for m in self.metrics)


def measure(metric: Metric, metric_id: str, evidence: Evidence) -> Scored:
    """One metric on one evidence; a refusal becomes its status, a crash `failed` with the exception as reason."""
    try:
        measurement = metric.measure(evidence)
    except CannotMeasure as refusal:
        return Scored(metric, metric_id, refusal.status, refusal.reason)
    except Exception as error:  # one broken metric never stops the others
        return Scored(metric, metric_id, ScoreStatus.FAILED, f"{type(error).__name__}: {error}")
    if not np.isfinite(measurement.value):
        return Scored(metric, metric_id, ScoreStatus.UNDEFINED, f"the metric gave {measurement.value}")
    return Scored(metric, metric_id, ScoreStatus.OK, "", measurement)


def _record(scored: Scored) -> dict[str, Any]:
    measurement = scored.measurement
    return {
        "metric_id": scored.metric_id,
        "status": scored.status.value,
        "reason": scored.reason,
        "measurement": None if measurement is None else _pack(measurement),
    }


def _scored(metric: Metric, metric_id: str, record: Mapping[str, Any]) -> Scored:
    packed = record["measurement"]
    measurement = None if packed is None else _unpack(packed)
    return Scored(metric, metric_id, ScoreStatus(record["status"]), record["reason"], measurement)


def _pack(m: Measurement) -> dict[str, Any]:
    units = None
    if m.units is not None:
        units = {"kind": m.units.kind.value, "key": m.units.key.tolist(), "cluster": m.units.cluster.tolist()}
        units["value"] = m.units.value.tolist()
    return {
        "value": float(m.value),
        "n": int(m.n),
        "units": units,
        "items": None if m.items is None else [np.asarray(column).tolist() for column in m.items],
        "companions": {name: _pack(c) for name, c in m.companions.items()},
    }


def _unpack(packed: Mapping[str, Any]) -> Measurement:
    units, items = packed["units"], packed["items"]
    return Measurement(
        value=packed["value"],
        n=packed["n"],
        units=None
        if units is None
        else Units(
            UnitKind(units["kind"]),
            np.array(units["key"], dtype=str),
            np.array(units["cluster"], dtype=str),
            np.array(units["value"], dtype=np.float64),
        ),
        items=None
        if items is None
        else (np.array(items[0], dtype=str), np.array(items[1], dtype=str), np.array(items[2], dtype=np.float64)),
        companions={name: _unpack(c) for name, c in packed["companions"].items()},
    )
