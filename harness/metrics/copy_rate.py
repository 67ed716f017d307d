"""Copy rate: share of generated images whose nearest protected or reference image is a copy, by cosine similarity.

Copy iff cos ≥ threshold in a copy-detection embedding (SSCD, or any other extractor with a threshold of its own: the
number means nothing without it). SSCD's authors count pairs above .75 as copies (arXiv 2202.10261, 90 % precision on
DISC); replication studies take .5 (arXiv 2212.03860). Search is exact over rows of unit length: cos = 1 - d² / 2 with d
from float64 differences, so an item of the set has similarity 1. `.similarity` is the mean similarity to the nearest;
`.control` the rate for held-out images, which copy nothing: what the threshold finds by itself.
Source: metrics.md section 10. Traps: T64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.inputs import Floats, features, unit_rows
from harness.metrics.metric import Array, Direction, Evidence, Measurement, Metric, Need, metric
from harness.metrics.nearest_neighbour import Against, Normalize, compared
from harness.metrics.neighbors import nearest
from harness.metrics.shield import Control
from harness.options import option
from harness.stats.units import Estimator, UnitKind, Units


def similarity(points: Array, references: Array) -> Floats:
    """(N,) cosine of each row (N, D) to its nearest reference (M, D); both of unit length."""
    return np.asarray(1.0 - nearest(points, references).distance ** 2 / 2.0)


@metric(
    "copy.{extractor}",
    unit="share of images",
    direction=Direction.LOWER,
    estimator=Estimator.PROPORTION,
    ideal=0.0,
    source="arXiv 2202.10261, 2212.03860",
)
@dataclass(frozen=True)
class CopyRate(Metric):
    """Share of generated images that are copies of a protected or reference image."""

    extractor: str = option(help="copy-detection embedding")
    threshold: float = option(
        0.75, unit="cosine", at_least=-1.0, at_most=1.0, help="a copy from here on", source="arXiv 2202.10261, for SSCD"
    )
    against: Against = option(Against.PROTECTED, help="role of the images that may be copied")
    control: Control = option(Control.HELDOUT, help="the set of the control rate, or none", in_id=False)

    def needs(self) -> tuple[Need, ...]:
        roles = ("generated", self.against.value, *(("heldout",) if self.control is Control.HELDOUT else ()))
        return tuple(Need("features", role, self.extractor) for role in roles)

    def measure(self, evidence: Evidence) -> Measurement:
        points, references = compared(evidence, self.extractor, self.against.value, Normalize.UNIT, 1)
        found, items = similarity(points, references), evidence.items
        value = (found >= self.threshold).astype(np.float64)
        beside = {"similarity": _mean(items.keys, items.clusters, found)}
        if self.control is Control.HELDOUT and ("heldout", self.extractor) in evidence.features:
            held = similarity(unit_rows(features(evidence, self.extractor, "heldout")), references)
            key = np.array([f"heldout/{i:05d}" for i in range(len(held))])
            beside["control"] = _mean(key, key, (held >= self.threshold).astype(np.float64))
        units = Units(UnitKind.ITEMS, items.keys, items.clusters, value)
        return Measurement(float(value.mean()), len(value), units, (items.keys, items.clusters, found), beside)


def _mean(key: Array, cluster: Array, value: Floats) -> Measurement:
    return Measurement(float(value.mean()), len(value), Units(UnitKind.ITEMS, key, cluster, value))
