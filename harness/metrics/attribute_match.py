"""Prompt adherence: share of the attributes stated by an image's prompt that a classifier finds in the image.

Items whose prompt states nothing have no value; they are left out by design, before the run, whatever was generated.
The companion `worst` is the accuracy of the attribute found least often. Source: metrics.md sections 8 and 9.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


def match(predicted: Array, stated: Array) -> tuple[Floats, Floats]:
    """Share of stated attributes found (N,), NaN where none is stated; and the hit rate of each attribute (A,).

    predicted, stated  (A, N) class numbers, stated -1 where the prompt leaves the attribute open
    """
    counts = stated >= 0
    hits = counts & (predicted == stated)
    with np.errstate(invalid="ignore"):
        return np.asarray(hits.sum(axis=0) / counts.sum(axis=0)), np.asarray(hits.sum(axis=1) / counts.sum(axis=1))


@metric(
    "attr.match.{classifier}",
    unit="share of stated attributes",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    ideal=1.0,
    source="metrics.md section 9",
)
@dataclass(frozen=True)
class AttributeMatch(Metric):
    """Mean over images of the share of stated attributes that the classifier finds."""

    classifier: str = option(help="attribute classifier")
    attributes: tuple[str, ...] = option((), help="only these attributes; none named: every stated one")

    def needs(self) -> tuple[Need, ...]:
        return tuple(Need(kind, "generated", self.classifier) for kind in ("predictions", "expected"))

    def measure(self, evidence: Evidence) -> Measurement:
        names = self.attributes or tuple(sorted(a for a, c in evidence.expected.items() if (np.asarray(c) >= 0).any()))
        items = evidence.items
        if len(items) == 0:
            raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "no items")
        absent = [a for a in names if a not in evidence.expected]
        if not names or absent:
            what = f"attributes {', '.join(absent)}" if absent else "any attribute"
            raise CannotMeasure(ScoreStatus.UNDEFINED, f"no prompt states {what}: there is nothing to adhere to")
        stated = np.array([evidence.expected[a] for a in names])
        predicted = np.array([predictions(evidence, self.classifier, a).argmax(axis=1) for a in names])
        if stated.shape != predicted.shape:
            raise CannotMeasure(
                ScoreStatus.PROTOCOL_MISMATCH, f"{stated.shape[1]} stated classes for {len(items)} items"
            )
        each, rate = match(predicted, stated)
        kept = ~np.isnan(each)
        if not kept.any():
            raise CannotMeasure(
                ScoreStatus.UNDEFINED, f"no prompt states {', '.join(names)}: there is nothing to adhere to"
            )
        key, cluster, value = items.keys[kept], items.clusters[kept], each[kept]
        worst = Measurement(float(np.nanmin(rate)), len(value), None)
        return Measurement(
            float(value.mean()),
            len(value),
            Units(UnitKind.ITEMS, key, cluster, value),
            (key, cluster, value),
            {"worst": worst},
        )
