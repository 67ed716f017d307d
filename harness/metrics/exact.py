"""Exact match: the share of generated texts that are one of their references, letter for letter.

White space at the end of a text and of its lines is not compared; indentation is. Precision: exact counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.metric import Direction, Evidence, Measurement, Metric, Need, metric
from harness.metrics.texts import outputs, references
from harness.stats.units import Estimator, UnitKind, Units


def plain(text: str) -> str:
    """The text without white space at the ends of its lines and of the whole."""
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip()


@metric(
    "exact",
    unit="share of items",
    direction=Direction.HIGHER,
    estimator=Estimator.PROPORTION,
    ideal=1.0,
    right=1.0,
    source="ours: the usual EM, with its white space stated",
)
@dataclass(frozen=True)
class Exact(Metric):
    """Share of items whose text is one of its references."""

    def needs(self) -> tuple[Need, ...]:
        return (Need("outputs"), Need("references"))

    def measure(self, evidence: Evidence) -> Measurement:
        texts, wanted, items = outputs(evidence), references(evidence), evidence.items
        value = np.array(
            [plain(t) in {plain(r) for r in rs} for t, rs in zip(texts, wanted, strict=True)], dtype=np.float64
        )
        units = Units(UnitKind.ITEMS, items.keys, items.clusters, value)
        return Measurement(float(value.mean()), len(value), units, (items.keys, items.clusters, value))
