"""Distance of generated items to the nearest reference item, and its ratio to that item's own nearest neighbour.

`nn.<extractor>.median` is the median over generated items. `nn.<extractor>.ratio` is the median of
d(item, nearest reference) / d(that reference, its nearest other reference): well below 1 where items are copies.
Where the reference holds duplicates the ratio of a new item beside them is infinite, that of a copy of them 0.
Search is exact. Source: metrics.md section 10. Precision: float64 differences, 1e-6 against scikit-learn. Traps: T64.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from harness.metrics.cluster_bootstrap import bootstrap
from harness.metrics.inputs import Floats, features, unit_rows
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
from harness.metrics.neighbors import nearest, nearest_other
from harness.options import option
from harness.stats.units import Estimator


class Normalize(StrEnum):
    """Applied to both sides alike: a comparison of unit rows with raw ones is no distance."""

    NONE = "none"
    UNIT = "unit"


class Against(StrEnum):
    REFERENCE = "reference"
    PROTECTED = "protected"


def in_space(rows: Array, normalize: Normalize) -> Array:
    """The rows (N, D) as points of the space that distances are taken in."""
    return unit_rows(rows) if normalize is Normalize.UNIT else rows


def compared(evidence: Evidence, extractor: str, role: str, normalize: Normalize, fewest: int) -> tuple[Array, Array]:
    """Generated points and those of `role`, in one space. Raises CannotMeasure: too few, or of unequal length."""
    generated = features(evidence, extractor)
    others = features(evidence, extractor, role)
    if len(others) < fewest:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, f"{len(others)} {role} items; at least {fewest} are needed")
    if generated.shape[1] != others.shape[1]:
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH,
            f"features of {extractor!r} have {generated.shape[1]} numbers for generated, {others.shape[1]} for {role}",
        )
    return in_space(generated, normalize), in_space(others, normalize)


def copying_ratio(points: Array, references: Array) -> Floats:
    """(N,) d(point, nearest reference) / d(that reference, its nearest other); 0/0 is 0, x/0 infinite."""
    near = nearest(points, references)
    copied, of_point = np.unique(near.index, return_inverse=True)
    spacing = nearest_other(references, copied).distance[of_point]
    ratio = np.full(len(points), np.inf)
    np.divide(near.distance, spacing, out=ratio, where=spacing > 0)
    ratio[near.distance == 0] = 0.0
    return ratio


@dataclass(frozen=True)
class Neighbour(Metric):
    """Base of both: a median over generated items of a value each."""

    extractor: str = option(help="feature extractor, the space of the distance")
    against: Against = option(Against.REFERENCE, help="role of the reference set")
    normalize: Normalize = option(Normalize.NONE, help="none, or unit: rows of length 1 on both sides")

    def needs(self) -> tuple[Need, ...]:
        return (
            Need("features", "generated", self.extractor),
            Need("features", self.against.value, self.extractor),
        )

    def values(self, points: Array, references: Array) -> Floats:
        """(N,) the value of each generated item."""
        raise NotImplementedError

    def measure(self, evidence: Evidence) -> Measurement:
        points, references = compared(evidence, self.extractor, self.against.value, self.normalize, 2)
        each = self.values(points, references)
        value = float(np.median(each))
        if not np.isfinite(value):
            count = int(np.isinf(each).sum())
            raise CannotMeasure(
                ScoreStatus.UNDEFINED,
                f"{count} of {len(each)} items lie nearest to a duplicated {self.against.value} item",
            )
        # A resampled median can be infinite where this one is not; the largest finite value is then a lower bound.
        bounded = np.minimum(each, each[np.isfinite(each)].max())
        units = bootstrap(
            evidence.items, value, lambda drawn: float(np.median(bounded[drawn])), evidence.seed, self.registered
        )
        items = evidence.items
        return Measurement(value, len(each), units, (items.keys, items.clusters, each))


@metric(
    "nn.{extractor}.median",
    unit="distance",
    direction=Direction.NONE,
    estimator=Estimator.MEAN,
    source="metrics.md section 10",
)
@dataclass(frozen=True)
class NeighbourMedian(Neighbour):
    """Median distance of generated items to their nearest reference item."""

    def values(self, points: Array, references: Array) -> Floats:
        return nearest(points, references).distance


@metric(
    "nn.{extractor}.ratio",
    unit="ratio",
    direction=Direction.NONE,
    estimator=Estimator.MEAN,
    source="metrics.md section 10",
)
@dataclass(frozen=True)
class NeighbourRatio(Neighbour):
    """Median of the copying ratio: well below 1 where generated items copy reference items."""

    def values(self, points: Array, references: Array) -> Floats:
        return copying_ratio(points, references)
