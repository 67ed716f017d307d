"""Exact Euclidean neighbors in bounded memory: a float32 product shortlists, float64 differences decide.

|a|² + |b|² - 2ab in float32 puts an image up to .1 away from itself (features of mean 3, D = 2048). So products are
used on centered features only to rule pairs out: every product gives a lower bound of the squared distance, with the
worst case of its rounding taken off, and each pair that could matter within that bound is recomputed as a sum of
squared differences in float64. Results depend neither on the block size nor on the order of the rows (T24).
A set against itself is multiplied once for both directions. Memory: one float32 copy of each set, one block of
products, and a list of candidates that is settled whenever it grows beyond `CANDIDATES`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import Array

Block = NDArray[np.float32]

BLOCK = 1 << 22
"""Pairs held at once by default (16 MB in float32)."""

CANDIDATES = 1 << 21
"""Pairs that may await their decision (40 MB), but not fewer than four for each neighbor asked."""

_ELEMENTS = 1 << 18  # float64 numbers of differences held at a time: 2 MB, the size of a cache


@dataclass(frozen=True)
class Points:
    """A feature set ready for products.

    exact (N, D) as given; centered (N, D) float32, in multiples of `unit` so that no square over- or underflows;
    square (N,) float64 squared lengths of the centered rows
    """

    exact: Array
    centered: Block
    square: Floats
    unit: float

    @classmethod
    def together(cls, *sets: Array) -> tuple[Points, ...]:
        """Sets that will be compared: around the mean of the first, in multiples of the largest coordinate."""
        center = sets[0].mean(axis=0, dtype=np.float64)
        largest = max((float(np.abs(part - center).max(initial=0.0)) for x in sets for part in _parts(x)), default=0.0)
        return tuple(cls._of(x, center, largest or 1.0) for x in sets)

    @classmethod
    def _of(cls, x: Array, center: Floats, unit: float) -> Points:
        centered, square = np.empty(x.shape, np.float32), np.empty(len(x))
        start = 0
        for part in _parts(x):
            rows = slice(start, start + len(part))
            centered[rows] = (part - center) / unit
            wide = centered[rows].astype(np.float64)
            square[rows] = np.einsum("nd,nd->n", wide, wide)
            start += len(part)
        return cls(x, centered, square, unit)

    def some(self, index: Ints) -> Points:
        """The rows at `index`."""
        return Points(self.exact[index], self.centered[index], self.square[index], self.unit)

    def __len__(self) -> int:
        return len(self.exact)

    @property
    def slack(self) -> float:
        """Share of |a|² + |b|² that bounds the rounding of a squared distance from a float32 product.

        γ = D u bounds the product, a few u the float32 coordinates and sums (u = ε/2): (D + 16) ε is over twice that.
        """
        return float((self.exact.shape[1] + 16) * np.finfo(np.float32).eps)

    def below(self, rows: slice, others: Points, columns: slice) -> Block:
        """Lower bounds of the squared distances, in units, of own rows to the columns of others."""
        keep = 1.0 - self.slack
        bound = self.centered[rows] @ others.centered[columns].T
        bound *= np.float32(-2.0)
        bound += (keep * others.square[columns]).astype(np.float32)
        bound += (keep * self.square[rows]).astype(np.float32)[:, None]
        return bound

    def above(self, bound: Array, i: Ints, others: Points, j: Ints) -> Floats:
        """The upper bounds that belong to lower bounds of pairs (i, j)."""
        return np.asarray(bound + 2.0 * self.slack * (self.square[i] + others.square[j]))


def squared_distances(a: Array, b: Array, i: Ints, j: Ints) -> Floats:
    """|a[i] - b[j]|² for pairs (i, j), each a sum of squared differences in float64."""
    result = np.empty(len(i))
    step = max(1, _ELEMENTS // max(1, a.shape[1]))
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        difference = a[i[part]].astype(np.float64)
        difference -= b[j[part]]
        result[part] = np.einsum("nd,nd->n", difference, difference)
    return result


# --- the nearest ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Nearest:
    """distance (N,) float64 Euclidean, to the nearest reference row; index (N,) that row, the lowest of equals."""

    distance: Floats
    index: Ints


def nearest(points: Array, references: Array, *, exclude: Ints | None = None, block: int | None = None) -> Nearest:
    """The nearest row of `references` (M, D) to each row of `points` (N, D), exactly.

    exclude  (N,) a reference row that does not count for each point (itself), by number, not by distance; -1 for none
    block    pairs compared at a time, BLOCK by default
    Raises ValueError: shapes that do not fit, or no reference left.
    """
    if points.ndim != 2 or references.ndim != 2 or points.shape[1] != references.shape[1]:
        raise ValueError(f"points {points.shape} and references {references.shape} are not in one space")
    if len(references) - (exclude is not None) < 1:
        raise ValueError("no reference to compare with")
    around, own = Points.together(references, points)
    distance, index = nearest_among(own, around, 1, exclude, block)
    return Nearest(np.sqrt(distance[:, 0]), index[:, 0])


def nearest_other(references: Array, rows: Ints | None = None, *, block: int | None = None) -> Nearest:
    """The nearest other row of `references` to its rows numbered in `rows` (all by default).

    A duplicate counts, the row itself does not. Raises ValueError where there is no other row.
    """
    if rows is not None and 2 * len(rows) < len(references):  # else one triangle of the products costs less
        return nearest(references[rows], references, exclude=rows, block=block)
    if len(references) < 2:
        raise ValueError("no reference to compare with")
    distance, index = nearest_others(Points.together(references)[0], 1, block)
    chosen = slice(None) if rows is None else rows
    return Nearest(np.sqrt(distance[chosen, 0]), index[chosen, 0])


def nearest_among(
    points: Points, others: Points, count: int, exclude: Ints | None = None, block: int | None = None
) -> tuple[Floats, Ints]:
    """Squared distances (N, count), rising, and indices of the nearest of `others`; ties are ordered by index.

    exclude  as in `nearest`
    """
    distance, index = np.empty((len(points), count)), np.empty((len(points), count), dtype=np.int64)
    step = max(1, (block or BLOCK) // len(others))
    sample = _sample(len(others), count + (exclude is not None))
    for start in range(0, len(points), step):
        rows = slice(start, min(start + step, len(points)))
        own = np.arange(rows.start, rows.stop)
        bound = points.below(rows, others, slice(None))
        if exclude is not None:
            at = np.flatnonzero(exclude[rows] >= 0)
            bound[at, exclude[rows][at]] = np.inf
        limit = _count_th_above(points, others, bound[:, sample], own, np.arange(len(others))[sample], count)
        i, j = _where(bound <= _up(limit)[:, None])
        exact = squared_distances(points.exact, others.exact, own[i], j)
        taken = _first(i, j, exact, count)
        distance[rows], index[rows] = exact[taken].reshape(-1, count), j[taken].reshape(-1, count)
    return distance, index


def nearest_others(points: Points, count: int, block: int | None = None) -> tuple[Floats, Ints]:
    """Squared distances (N, count), rising, and indices of the nearest other items of the same set.

    count  1 … N - 1; raises ValueError outside. Ties are ordered by index. Blocks of the diagonal give every row a
    bound from its own block first; each block above the diagonal then serves its rows and its columns.
    """
    n = len(points)
    if not 1 <= count < n:
        raise ValueError(f"{count} neighbors asked of a set of {n}")
    edge = max(count + 1, int((block or BLOCK) ** 0.5))
    spans = [slice(int(a), int(b)) for a, b in _spans(n, max(1, n // edge))]
    waiting = _Waiting(points, count)
    for rows in spans:
        bound = points.below(rows, points, rows)
        np.fill_diagonal(bound, np.inf)
        own = np.arange(rows.start, rows.stop)
        sample = _sample(len(own), count + 1)
        waiting.limit[rows] = _count_th_above(points, points, bound[:, sample], own, own[sample], count)
        waiting.add(bound, rows, rows)
    for k, rows in enumerate(spans):
        for columns in spans[k + 1 :]:
            bound = points.below(rows, points, columns)
            waiting.add(bound, rows, columns)
            waiting.add(bound, rows, columns, turned=True)
    return waiting.decided()


class _Waiting:
    """Pairs that may be among the `count` nearest, until float64 decides; limit (N,) an upper bound of the last."""

    def __init__(self, points: Points, count: int) -> None:
        self.points, self.count = points, count
        self.limit = np.full(len(points), np.inf)
        self._nearest = np.full((len(points), count), np.inf)  # upper bounds of the nearest seen so far
        self._pairs: list[tuple[Ints, Ints, Block]] = []
        self._held = 0
        self._room = max(CANDIDATES, 4 * count * len(points))

    def add(self, bound: Block, rows: slice, columns: slice, *, turned: bool = False) -> None:
        """Pairs of a block of bounds that are near enough for their row or, turned, for their column."""
        i, j = _where(bound <= (_up(self.limit[columns]) if turned else _up(self.limit[rows])[:, None]))
        low = bound[i, j]
        i, j = i + rows.start, j + columns.start
        i, j = (j, i) if turned else (i, j)
        self._tighten(i, self.points.above(low, i, self.points, j))
        self._pairs.append((i, j, low))
        self._held += len(i)
        if self._held > self._room:
            i, j, low = self._left()
            if len(i) > self._room // 2:  # ties beyond what bounds can tell apart
                taken = _first(i, j, squared_distances(self.points.exact, self.points.exact, i, j), self.count)
                i, j, low = i[taken], j[taken], low[taken]
            self._pairs, self._held = [(i, j, low)], len(i)

    def _tighten(self, i: Ints, above: Floats) -> None:
        order = np.lexsort((above, i))
        i, above = i[order], above[order]
        who, starts = np.unique(i, return_index=True)
        rank = np.arange(len(i)) - np.repeat(starts, np.diff(np.r_[starts, len(i)]))
        fresh = np.full((len(who), self.count), np.inf)
        kept = rank < self.count
        fresh[np.searchsorted(who, i[kept]), rank[kept]] = above[kept]
        both = np.concatenate([self._nearest[who], fresh], axis=1)
        both.partition(self.count - 1, axis=1)
        self._nearest[who] = both[:, : self.count]
        self.limit[who] = np.minimum(self.limit[who], self._nearest[who].max(axis=1))

    def _left(self) -> tuple[Ints, Ints, Block]:
        i, j, low = (np.concatenate(part) for part in zip(*self._pairs, strict=True))
        kept = low <= _up(self.limit)[i]
        return i[kept], j[kept], low[kept]

    def decided(self) -> tuple[Floats, Ints]:
        i, j, _ = self._left()
        exact = squared_distances(self.points.exact, self.points.exact, i, j)
        taken = _first(i, j, exact, self.count)
        return exact[taken].reshape(-1, self.count), j[taken].reshape(-1, self.count)


def _count_th_above(points: Points, others: Points, bound: Block, i: Ints, j: Ints, count: int) -> Floats:
    """(N,) upper bound of the squared distance of items i to the count-th nearest of j; bound (N, M) of these pairs."""
    near = np.argpartition(bound, count - 1, axis=1)[:, :count] if count > 1 else bound.argmin(axis=1)[:, None]
    low = np.take_along_axis(bound, near, axis=1)
    return np.asarray(points.above(low, i[:, None], others, j[near]).max(axis=1))


def _sample(n: int, count: int) -> slice:
    """Columns that give the first bound: the count-th nearest of a few is never too near."""
    return slice(None, None, 4) if n > 64 * count else slice(None)


def _first(i: Ints, j: Ints, exact: Floats, count: int) -> Ints:
    """Where the `count` first pairs of every i are, by distance and then by j, ordered by i."""
    order = np.lexsort((j, exact, i))
    starts = np.searchsorted(i[order], np.unique(i))
    ends = np.r_[starts[1:], len(i)]
    within = starts[:, None] + np.arange(count)
    return np.asarray(order[within[within < ends[:, None]]])


# --- inside balls -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Meeting:
    """A block of bounds between balls `rows` (R,) and all points: bound (R, M) lower bounds of squared distances."""

    balls: Points
    points: Points
    rows: slice
    bound: Block

    def inside(self, radius2: Floats, *, of_points: bool = False, closed: bool = False) -> tuple[Ints, Ints]:
        """Pairs (ball of `rows`, point) closer than the squared radius, or at most at it if `closed`.

        radius2  (B,) of every ball; with `of_points` (M,) of every point, for balls around the points instead
        """
        unit2 = self.balls.unit**2
        limit = _up(radius2 / unit2)
        i, j = _where(self.bound <= (limit if of_points else limit[self.rows, None]))
        low = self.bound[i, j]
        i = i + self.rows.start
        radius = radius2[j if of_points else i]
        unclear = np.flatnonzero(self.balls.above(low, i, self.points, j) * unit2 >= radius * (1.0 - 1e-9))
        exact = squared_distances(self.balls.exact, self.points.exact, i[unclear], j[unclear])
        outside = exact > radius[unclear] if closed else exact >= radius[unclear]
        keep = np.ones(len(i), dtype=bool)
        keep[unclear[outside]] = False
        return i[keep], j[keep]

    def within(self, columns: NDArray[np.bool_], radius2: Floats) -> tuple[Ints, Ints]:
        """Pairs (ball of `rows` marked in columns (R,), point) that may be closer than radius2 (M,); none is missed."""
        chosen = np.flatnonzero(columns)
        i, j = _where(self.bound[chosen] <= _up(radius2 / self.balls.unit**2))
        return chosen[i] + self.rows.start, j


def meetings(balls: Points, points: Points, block: int | None = None) -> Iterator[Meeting]:
    """All balls against all points, by blocks of balls: each product is formed once, whatever is asked of it."""
    step = max(1, (block or BLOCK) // max(1, len(points)))
    for start in range(0, len(balls), step):
        rows = slice(start, min(start + step, len(balls)))
        yield Meeting(balls, points, rows, balls.below(rows, points, slice(None)))


def inside(
    balls: Points, radius2: Floats, points: Points, *, closed: bool = False, block: int | None = None
) -> Iterator[tuple[Ints, Ints]]:
    """Pairs (ball, point) with the point inside the ball, by blocks of balls.

    radius2 (B,) squared radii; closed counts a point on the sphere
    """
    for meeting in meetings(balls, points, block):
        yield meeting.inside(radius2, closed=closed)


# --- small pieces -----------------------------------------------------------------------------------------------------


def _up(values: Floats) -> Block:
    """The values in float32, none below the float64 one."""
    return np.nextafter(values.astype(np.float32), np.float32(np.inf))


def _spans(n: int, count: int) -> NDArray[np.int64]:
    edges = np.linspace(0, n, count + 1).round().astype(np.int64)
    return np.stack([edges[:-1], edges[1:]], axis=1)


def _parts(x: Array) -> Iterator[Array]:
    step = max(1, _ELEMENTS // max(1, x.shape[1]))
    for start in range(0, len(x), step):
        yield x[start : start + step]


def _where(mask: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    i, j = np.divmod(np.flatnonzero(mask), mask.shape[1])
    return i, j
