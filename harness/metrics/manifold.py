"""Precision, recall, density and coverage: how two feature sets cover each other's k-nearest-neighbor balls.

r_k(x) = distance to the k-th nearest other item of its own set. precision = share of generated inside some reference
ball; recall = share of reference inside some generated ball (arXiv 1904.06991); density = reference balls that hold a
generated item, per item and k; coverage = share of reference balls that hold one (arXiv 2002.09797). A point on the
sphere is outside (`lt`, as in prdc) unless `le` is chosen (as in torch-fidelity); the choice is in the id.
k and N dominate the values: identical laws give precision .75 at N = 1000, D = 64. So every value comes with `.same`,
the same quantity for a split of the reference against itself. The interval leaves out groups of generated items; the
reference is whole and fixed. Precision: decisions by float64 differences. Traps: metrics.md section 4, T21 to T25.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.keys import generator
from harness.metrics.feature_sets import Features, feature_needs, feature_sets, jackknifed
from harness.metrics.metric import CannotMeasure, Direction, Evidence, Measurement, Metric, Need, ScoreStatus, metric
from harness.metrics.neighbors import Index, Points, inside, nearest
from harness.options import option
from harness.stats.units import Estimator

PER_NEIGHBOR = 10
"""Items needed on each side for each neighbor: n ≥ 10 k (statistics.md section 13)."""


@dataclass(frozen=True)
class Share:
    """A value, its values (G,) without each group of generated items, and the ball centers (B,) that have a twin."""

    full: float
    left_out: NDArray[np.float64]
    twins: NDArray[np.bool_]


@dataclass(frozen=True)
class Hits:
    """How the reference balls and the generated items meet.

    of_item (N,) number of balls that hold each generated item; of_ball (M, G) items of each group that each ball holds;
    twins (M,) reference items that have an exact twin
    """

    of_item: Index
    of_ball: Index
    twins: NDArray[np.bool_]


def reference_hits(x: Features, y: Features, group: Index, groups: int, k: int, closed: bool) -> Hits:
    """Generated items x (N, D) in the balls of the reference y (M, D). Raises CannotMeasure when no ball has a size."""
    balls, points = Points.together(y, x)
    near, _ = nearest(balls, k)
    _refuse_points(near[:, -1], "reference", k)
    of_item, of_ball = np.zeros(len(x), dtype=np.int64), np.zeros((len(y), groups), dtype=np.int64)
    for i, j in inside(balls, near[:, -1], points, closed=closed):
        of_item += np.bincount(j, minlength=len(x))
        of_ball += np.bincount(i * groups + group[j], minlength=len(y) * groups).reshape(len(y), groups)
    return Hits(of_item, of_ball, near[:, 0] == 0.0)


def precision(x: Features, y: Features, group: Index, groups: int, k: int, closed: bool) -> Share:
    """Share of generated items inside some reference ball."""
    hits = reference_hits(x, y, group, groups, k, closed)
    return _mean_of_items((hits.of_item > 0).astype(np.float64), group, groups, hits.twins)


def density(x: Features, y: Features, group: Index, groups: int, k: int, closed: bool) -> Share:
    """Reference balls around a generated item, over k; not bounded by 1."""
    hits = reference_hits(x, y, group, groups, k, closed)
    return _mean_of_items(hits.of_item / k, group, groups, hits.twins)


def coverage(x: Features, y: Features, group: Index, groups: int, k: int, closed: bool) -> Share:
    """Share of reference balls that hold a generated item."""
    hits = reference_hits(x, y, group, groups, k, closed)
    total = hits.of_ball.sum(axis=1)
    return Share(float((total > 0).mean()), (total[:, None] > hits.of_ball).mean(axis=0), hits.twins)


def recall(x: Features, y: Features, group: Index, groups: int, k: int, closed: bool) -> Share:
    """Share of reference items inside some generated ball.

    Without a group its balls are gone and the balls that had a neighbor in it have grown; only reference items that no
    other ball holds are looked at again.
    """
    points, balls = Points.together(y, x)
    largest = int(np.bincount(group, minlength=groups).max()) if groups > 1 else 0
    near, who = nearest(balls, min(k + largest, len(x) - 1))
    radius2 = near[:, k - 1]
    _refuse_points(radius2, "generated", k)
    held = np.zeros((len(y), groups), dtype=np.int64)
    for i, j in inside(balls, radius2, points, closed=closed):
        held += np.bincount(j * groups + group[i], minlength=len(y) * groups).reshape(len(y), groups)
    total = held.sum(axis=1)
    twins = near[:, 0] == 0.0
    if groups < 2:
        return Share(float((total > 0).mean()), np.empty(0), twins)
    left_out = np.empty(groups)
    for g in range(groups):
        open_items = np.flatnonzero(total == held[:, g])
        grown, grown2 = _grown(near, who, group, g, k)
        found = np.zeros(len(open_items), dtype=bool)
        if len(open_items) and len(grown):
            for _, j in inside(balls.some(grown), grown2, points.some(open_items), closed=closed):
                found[j] = True
        left_out[g] = 1.0 - (len(open_items) - int(found.sum())) / len(y)
    return Share(float((total > 0).mean()), left_out, twins)


def _grown(near: Features, who: Index, group: Index, g: int, k: int) -> tuple[Index, Features]:
    """Items outside group g that had one of their k nearest in it, and their squared radii without it."""
    touched = np.flatnonzero((group != g) & (group[who[:, :k]] == g).any(axis=1))
    remains = group[who[touched]] != g
    kth = (np.cumsum(remains, axis=1) == k).argmax(axis=1)
    return touched, near[touched, kth]


def _mean_of_items(value: Features, group: Index, groups: int, twins: NDArray[np.bool_]) -> Share:
    sums, size = np.bincount(group, weights=value, minlength=groups), np.bincount(group, minlength=groups)
    rest = len(value) - size
    left_out = (value.sum() - sums) / rest if groups > 1 else np.empty(0)
    return Share(float(value.mean()), left_out, twins)


def _refuse_points(radius2: Features, whose: str, k: int) -> None:
    if not radius2.any():
        raise CannotMeasure(
            ScoreStatus.UNDEFINED, f"every {whose} item coincides with its {k} nearest: no ball has size"
        )


Quantity = Callable[[Features, Features, Index, int, int, bool], Share]


def expected_same(
    quantity: Quantity, y: Features, n: int, k: int, closed: bool, rng: np.random.Generator
) -> tuple[float, int] | None:
    """The quantity for a split of the reference against itself, and the number of its items played as generated.

    n items (at most half) play the generated set, the rest the reference; None where a side falls below 10 k or the
    balls are points.
    """
    played = min(n, len(y) // 2)
    if played < PER_NEIGHBOR * k:
        return None
    y = y[
        np.argsort(y @ np.cos(np.arange(y.shape[1])), kind="stable")
    ]  # the split is that of the set, not of its order
    order = rng.permutation(len(y))
    one = np.zeros(played, dtype=np.int64)
    try:
        return quantity(y[order[:played]], y[order[played:]], one, 1, k, closed).full, played
    except CannotMeasure:
        return None


@dataclass(frozen=True)
class _Neighborhoods(Metric):
    extractor: str = option(help="name of a feature extractor")
    k: int = option(5, help="neighbors that set a ball's radius", unit="items", source="arXiv 2002.09797", at_least=1)
    comparison: Literal["lt", "le"] = option("lt", help="lt: a point on the sphere is outside; le: inside")

    def needs(self) -> tuple[Need, ...]:
        return feature_needs(self.extractor)

    def measured(self, evidence: Evidence, quantity: Quantity) -> Measurement:
        """The quantity with its pseudo-values, and its companions.

        `same`: see expected_same; `duplicates`: the share of ball centers that have an exact twin in their own set
        """
        sets = feature_sets(evidence, self.extractor, fewest=PER_NEIGHBOR * self.k)
        x, y, closed = sets.generated, sets.against(), self.comparison == "le"
        share = quantity(x, y, sets.groups.index, len(sets.groups), self.k, closed)
        companions = {"duplicates": Measurement(float(share.twins.mean()), len(share.twins), None)}
        same = expected_same(quantity, y, len(x), self.k, closed, generator(evidence.seed, "split", "reference"))
        if same is not None:
            companions["same"] = Measurement(same[0], same[1], None)
        return jackknifed(sets.groups, share.full, share.left_out, **companions)


@metric(
    "precision.{extractor}",
    unit="share",
    direction=Direction.HIGHER,
    estimator=Estimator.KNN_COUNT,
    source="arXiv 1904.06991",
)
@dataclass(frozen=True)
class Precision(_Neighborhoods):
    """Share of generated items inside some k-nearest-neighbor ball of the reference."""

    def measure(self, evidence: Evidence) -> Measurement:
        return self.measured(evidence, precision)


@metric(
    "recall.{extractor}",
    unit="share",
    direction=Direction.HIGHER,
    estimator=Estimator.KNN_COUNT,
    source="arXiv 1904.06991",
)
@dataclass(frozen=True)
class Recall(_Neighborhoods):
    """Share of reference items inside some k-nearest-neighbor ball of the generated set."""

    def measure(self, evidence: Evidence) -> Measurement:
        return self.measured(evidence, recall)


@metric(
    "density.{extractor}",
    unit="balls per k",
    direction=Direction.HIGHER,
    estimator=Estimator.KNN_COUNT,
    source="arXiv 2002.09797",
)
@dataclass(frozen=True)
class Density(_Neighborhoods):
    """Reference balls around a generated item, over k; not bounded by 1."""

    def measure(self, evidence: Evidence) -> Measurement:
        return self.measured(evidence, density)


@metric(
    "coverage.{extractor}",
    unit="share",
    direction=Direction.HIGHER,
    estimator=Estimator.KNN_COUNT,
    source="arXiv 2002.09797",
)
@dataclass(frozen=True)
class Coverage(_Neighborhoods):
    """Share of reference balls that hold a generated item."""

    def measure(self, evidence: Evidence) -> Measurement:
        return self.measured(evidence, coverage)
