"""Attributes kept: does a classifier read the same in a picture as in its source (hair, glasses, expression, …)?

An item is right when every attribute named keeps its class, the most likely one. Companions: `each`, the mean share of
attributes kept, and one row an attribute. The classifier's own errors are in both readings. Source: face_privacy.md
section 7 (what a cloak may cost besides pixels).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.metrics.inputs import Floats, predictions
from harness.metrics.metric import (
    Array,
    CannotMeasure,
    Direction,
    Evidence,
    Measurement,
    Metric,
    Need,
    ScoreStatus,
    metric,
)
from harness.options import option
from harness.stats.units import Estimator, UnitKind, Units


def kept(now: Array, before: Array) -> NDArray[np.bool_]:
    """(N,) whether the most likely class is the same. now, before (N, K) probabilities."""
    return np.asarray(now.argmax(axis=1) == before.argmax(axis=1))


@metric(
    "attr.kept.{classifier}",
    unit="share of images",
    direction=Direction.HIGHER,
    estimator=Estimator.PROPORTION,
    ideal=1.0,
    right=1.0,
    source="face_privacy.md section 7",
)
@dataclass(frozen=True)
class AttributesKept(Metric):
    """Share of images in which a classifier reads the same attributes as in their sources."""

    classifier: str = option(help="attribute classifier")
    attributes: tuple[str, ...] = option((), help="only these attributes; none named: every one it reads")

    def needs(self) -> tuple[Need, ...]:
        return (Need("predictions", "generated", self.classifier), Need("predictions", "source", self.classifier))

    def measure(self, evidence: Evidence) -> Measurement:
        items = evidence.items
        if len(items) == 0:
            raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "no items")
        names = self.attributes or tuple(sorted(evidence.predictions.get(self.classifier, {})))
        if not names:
            raise CannotMeasure(ScoreStatus.FAILED, f"predictions of {self.classifier!r}: not brought by the scorer")
        same = np.stack(
            [
                kept(predictions(evidence, self.classifier, a), predictions(evidence, self.classifier, a, "source"))
                for a in names
            ]
        )
        value: Floats = np.asarray(same.all(axis=0), dtype=np.float64)

        def mean(part: Array) -> Measurement:
            each: Floats = np.asarray(part, dtype=np.float64)
            return Measurement(float(each.mean()), len(each), Units(UnitKind.ITEMS, items.keys, items.clusters, each))

        beside = {"each": mean(same.mean(axis=0)), **{a: mean(row) for a, row in zip(names, same, strict=True)}}
        units = Units(UnitKind.ITEMS, items.keys, items.clusters, value)
        return Measurement(float(value.mean()), len(value), units, (items.keys, items.clusters, value), beside)
