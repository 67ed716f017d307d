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

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.keys import generator
from harness.metrics.feature_sets import feature_needs, feature_sets, jackknifed
from harness.metrics.inputs import Floats, Ints
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
from harness.metrics.neighbors import (
    Meeting,
    Points,
    meetings,
    nearest_among,
    nearest_others,
    squared_distances,
)
from harness.options import option
from harness.stats.units import Estimator

PER_NEIGHBOR = 10
"""Items needed on each side for each neighbor: n ≥ 10 k (statistics.md section 13)."""


@dataclass(frozen=True)
class Share:
    """A value, its values (G,) without each group of generated items, and the ball centers (B,) that have a twin."""

    full: float
    left_out: Floats
    twins: NDArray[np.bool_]


Name = Literal["precision", "recall", "density", "coverage"]


@dataclass(frozen=True)
class Overlap:
    """The four quantities of two sets; or why balls around reference or generated items cannot be had."""

    shares: dict[Name, Share]
    refused: dict[Name, CannotMeasure]

    def share(self, name: Name) -> Share:
        """One of the four. Raises CannotMeasure."""
        if name in self.refused:
            raise self.refused[name]
        return self.shares[name]


def overlap(x: Array, y: Array, group: Ints, groups: int, k: int, closed: bool) -> Overlap:
    """All four for generated items x (N, D) in groups (N,) and the reference y (M, D).

    Without a group of generated items its balls are gone and the balls that had a neighbor in it have grown; the
    reference stays. Every pair meets once: the grown balls are looked up in the same block of products, and only for
    reference items that no other ball holds. What a ball of no size (or too few items without a group) makes
    meaningless is refused.
    """
    real, fake = Points.together(y, x)
    near, _ = nearest_others(real, k)
    own, grown = _radii(fake, group, groups, k)
    largest2 = grown.max(axis=1, initial=0.0)
    n, m = len(x), len(y)
    of_item = np.zeros(n, dtype=np.int64)
    of_ball, held = np.zeros((m, groups), dtype=np.int64), np.zeros((m, groups), dtype=np.int64)
    found = np.zeros((m, groups), dtype=bool)
    for meeting in meetings(real, fake):
        rows = meeting.rows
        i, j = meeting.inside(near[:, -1], closed=closed)
        of_item += np.bincount(j, minlength=n)
        of_ball[rows] = _counts(i - rows.start, group[j], rows, groups)
        i, j = meeting.inside(own.radius2, of_points=True, closed=closed)
        held[rows] = _counts(i - rows.start, group[j], rows, groups)
        if groups > 1 and grown.size:
            found[rows] = _regained(meeting, held[rows], largest2, grown, group, closed)
    twins, total, holds = near[:, 0] == 0.0, of_ball.sum(axis=1), held.sum(axis=1)
    covered = (total[:, None] > of_ball).mean(axis=0) if groups > 1 else np.empty(0)
    recalled = ((holds[:, None] > held) | found).mean(axis=0) if groups > 1 else np.empty(0)
    refused: dict[Name, CannotMeasure] = {}
    if not near[:, -1].any():
        refused = dict.fromkeys(("precision", "density", "coverage"), _no_size("reference", k))
    if not own.radius2.any():
        refused["recall"] = _no_size("generated", k)
    elif groups > 1 and not grown.size:
        refused["recall"] = CannotMeasure(
            ScoreStatus.INSUFFICIENT_N, f"without one of its groups a set of {n} has no {k} neighbors left"
        )
    return Overlap(
        {
            "precision": _mean_of_items((of_item > 0).astype(np.float64), group, groups, twins),
            "recall": Share(float((holds > 0).mean()), recalled, own.twins),
            "density": _mean_of_items(of_item / k, group, groups, twins),
            "coverage": Share(float((total > 0).mean()), covered, twins),
        },
        refused,
    )


def precision(x: Array, y: Array, group: Ints, groups: int, k: int, closed: bool) -> Share:
    """Share of generated items inside some reference ball."""
    return overlap(x, y, group, groups, k, closed).share("precision")


def recall(x: Array, y: Array, group: Ints, groups: int, k: int, closed: bool) -> Share:
    """Share of reference items inside some generated ball."""
    return overlap(x, y, group, groups, k, closed).share("recall")


def density(x: Array, y: Array, group: Ints, groups: int, k: int, closed: bool) -> Share:
    """Reference balls around a generated item, over k; not bounded by 1."""
    return overlap(x, y, group, groups, k, closed).share("density")


def coverage(x: Array, y: Array, group: Ints, groups: int, k: int, closed: bool) -> Share:
    """Share of reference balls that hold a generated item."""
    return overlap(x, y, group, groups, k, closed).share("coverage")


@dataclass(frozen=True)
class _Balls:
    """Squared radii (N,) of a set's balls, and the centers (N,) that have a twin."""

    radius2: Floats
    twins: NDArray[np.bool_]


def _radii(points: Points, group: Ints, groups: int, k: int) -> tuple[_Balls, Floats]:
    """The balls of the generated items, and their squared radii (N, G) without each group.

    A ball grows to its k-th neighbor outside the group. Twice k neighbors nearly always reach it; rows that they do not
    reach are looked up deeper. (N, 0) where there are no groups, or one that leaves no k neighbors.
    """
    n = len(points)
    count = min(2 * k if groups > 1 else k, n - 1)
    near, who = nearest_others(points, count)
    balls = _Balls(near[:, k - 1], near[:, 0] == 0.0)
    if groups < 2 or n - np.bincount(group, minlength=groups).max() <= k:
        return balls, np.empty((n, 0))
    grown = np.repeat(balls.radius2[:, None], groups, axis=1)
    rows = np.arange(n)
    while len(rows):
        short = np.zeros(len(rows), dtype=bool)
        for g in range(groups):
            touched = np.flatnonzero((group[rows] != g) & (group[who[:, :k]] == g).any(axis=1))
            reached = np.cumsum(group[who[touched]] != g, axis=1) >= k
            enough = reached[:, -1]
            at = reached.argmax(axis=1)[enough]
            grown[rows[touched[enough]], g] = near[touched[enough], at]
            short[touched[~enough]] = True
        rows, count = rows[short], min(4 * count, n - 1)
        if len(rows):
            near, who = nearest_among(points.some(rows), points, count, exclude=rows)
    return balls, grown


def _regained(
    meeting: Meeting, held: Ints, largest2: Floats, grown: Floats, group: Ints, closed: bool
) -> NDArray[np.bool_]:
    """(R, G) reference items of a block that only balls of the group held, and that a grown ball of another now holds.

    held (R, G) balls of each group around each item; grown (N, G) squared radii without each group, largest2 their
    largest
    """
    lost = held.sum(axis=1)[:, None] == held
    found = np.zeros(lost.shape, dtype=bool)
    i, j = meeting.within(lost.any(axis=1), largest2)
    i -= meeting.rows.start
    hopeful = (lost[i] & (group[j][:, None] != np.arange(lost.shape[1]))).any(axis=1)
    i, j = i[hopeful], j[hopeful]
    exact = squared_distances(meeting.balls.exact, meeting.points.exact, i + meeting.rows.start, j)
    for g in range(lost.shape[1]):
        inside = exact <= grown[j, g] if closed else exact < grown[j, g]
        found[i[inside & (group[j] != g)], g] = True
    return np.asarray(found & lost)


def _counts(row: Ints, group: Ints, rows: slice, groups: int) -> Ints:
    size = rows.stop - rows.start
    return np.bincount(row * groups + group, minlength=size * groups).reshape(size, groups)


def _mean_of_items(value: Floats, group: Ints, groups: int, twins: NDArray[np.bool_]) -> Share:
    sums, size = np.bincount(group, weights=value, minlength=groups), np.bincount(group, minlength=groups)
    rest = len(value) - size
    left_out = (value.sum() - sums) / rest if groups > 1 else np.empty(0)
    return Share(float(value.mean()), left_out, twins)


def _no_size(whose: str, k: int) -> CannotMeasure:
    return CannotMeasure(ScoreStatus.UNDEFINED, f"every {whose} item coincides with its {k} nearest: no ball has size")


def expected_same(y: Array, n: int, k: int, closed: bool, rng: np.random.Generator) -> tuple[Overlap, int] | None:
    """The four for a split of the reference against itself, and the number of its items played as generated.

    n items (at most half) play the generated set, the rest the reference; None where a side falls below 10 k.
    """
    played = min(n, len(y) // 2)
    if played < PER_NEIGHBOR * k:
        return None
    # the split is that of the set, not of its order
    y = y[np.argsort(y @ np.cos(np.arange(y.shape[1])), kind="stable")]
    order = rng.permutation(len(y))
    one = np.zeros(played, dtype=np.int64)
    return overlap(y[order[:played]], y[order[played:]], one, 1, k, closed), played


_REMEMBERED: OrderedDict[str, Any] = OrderedDict()
_ROOM = 8


def _remembered(compute: Callable[[], Any], *inputs: Any) -> Any:
    """The value of `compute` for these inputs, kept for the metrics that ask for another of the four next.

    Known by content, so that nothing else can be mistaken for it; a split of the reference serves all cells of a run.
    """
    digest = hashlib.blake2b(digest_size=16)
    for value in inputs:
        is_array = isinstance(value, np.ndarray)
        digest.update(f"{value.dtype}{value.shape}".encode() if is_array else f"{value!r};".encode())
        if is_array:
            digest.update(np.ascontiguousarray(value).data)
    key = digest.hexdigest()
    if key not in _REMEMBERED:
        _REMEMBERED[key] = compute()
        while len(_REMEMBERED) > _ROOM:
            _REMEMBERED.popitem(last=False)
    _REMEMBERED.move_to_end(key)
    return _REMEMBERED[key]


@dataclass(frozen=True)
class _Neighborhoods(Metric):
    extractor: str = option(help="name of a feature extractor")
    k: int = option(5, help="neighbors that set a ball's radius", unit="items", source="arXiv 2002.09797", at_least=1)
    comparison: Literal["lt", "le"] = option("lt", help="lt: a point on the sphere is outside; le: inside")

    def needs(self) -> tuple[Need, ...]:
        return feature_needs(self.extractor)

    def measured(self, evidence: Evidence, name: Name) -> Measurement:
        """One of the four with its pseudo-values, and its companions.

        `same`: see expected_same; `duplicates`: the share of ball centers that have an exact twin in their own set
        """
        sets = feature_sets(evidence, self.extractor, fewest=PER_NEIGHBOR * self.k, as_stored=True)
        x, y, k, closed = sets.generated, sets.against(), self.k, self.comparison == "le"
        group, groups = sets.groups.index, len(sets.groups)
        found = _remembered(lambda: overlap(x, y, group, groups, k, closed), "overlap", x, y, group, k, closed)
        share: Share = found.share(name)
        companions = {"duplicates": Measurement(float(share.twins.mean()), len(share.twins), None)}
        rng = generator(evidence.seed, "split", "reference")
        n, seed = len(x), evidence.seed
        same = _remembered(lambda: expected_same(y, n, k, closed, rng), "same", y, n, k, closed, seed)
        if same is not None and name not in same[0].refused:
            companions["same"] = Measurement(same[0].share(name).full, same[1], None)
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
        return self.measured(evidence, "precision")


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
        return self.measured(evidence, "recall")


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
        return self.measured(evidence, "density")


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
        return self.measured(evidence, "coverage")
