"""Exact Euclidean neighbors in bounded memory: a float32 product shortlists, float64 differences decide.

|a|² + |b|² - 2ab in float32 puts an image up to .1 away from itself (features of mean 3, D = 2048). So products are
used on centered features only to rule pairs out, with a bound on their rounding; every pair that could matter within
that bound is recomputed as a sum of squared differences in float64. Results depend neither on the block size nor on the
order of the rows (T24).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]
Index = NDArray[np.int64]

BLOCK = 1 << 22
"""Pairs held at once by default (16 MB in float32)."""


@dataclass(frozen=True)
class Points:
    """A feature set ready for products.

    exact (N, D) float64; centered (N, D) float32, in multiples of `unit` so that no square over- or underflows;
    square (N,) squared lengths of the centered rows
    """

    exact: Features
    centered: NDArray[np.float32]
    square: Features
    unit: float

    @classmethod
    def of(cls, x: Features, center: Features, unit: float) -> Points:
        """x (N, D) around `center` (D,) in multiples of `unit`; both must be the same for sets that are compared."""
        centered = ((x - center) / unit).astype(np.float32)
        square = (centered.astype(np.float64) ** 2).sum(axis=1)
        return cls(np.ascontiguousarray(x, dtype=np.float64), centered, square, unit)

    @classmethod
    def together(cls, *sets: Features) -> tuple[Points, ...]:
        """Sets that will be compared: around the mean of the first, in multiples of the largest coordinate."""
        center = sets[0].mean(axis=0)
        largest = max(float(np.abs(x - center).max(initial=0.0)) for x in sets)
        return tuple(cls.of(x, center, largest or 1.0) for x in sets)

    def some(self, index: Index) -> Points:
        """The rows at `index`."""
        return Points(self.exact[index], self.centered[index], self.square[index], self.unit)

    def __len__(self) -> int:
        return len(self.exact)

    def rounding(self, other: Points) -> float:
        """A bound on the rounding of h - 2ab in float32, for rows a of self, b of other and heights up to 4 |b|²."""
        largest = float(self.square.max(initial=0.0) + other.square.max(initial=0.0))
        terms = int(self.exact.shape[1]) + 16
        return terms * float(np.finfo(np.float32).eps) * 4.0 * largest

    def lifted(self) -> NDArray[np.float32]:
        """(N, D + 1): rows [-2a, 1], whose product with [b, h] is h - 2ab."""
        return np.concatenate([-2.0 * self.centered, np.ones((len(self), 1), np.float32)], axis=1)

    def raised(self, height: Features) -> NDArray[np.float32]:
        """(N, D + 1): rows [b, height]."""
        return np.concatenate([self.centered, height[:, None].astype(np.float32)], axis=1)


def squared_distances(a: Features, b: Features, i: Index, j: Index) -> Features:
    """|a[i] - b[j]|² for pairs (i, j), each a sum of squared differences in float64."""
    result = np.empty(len(i))
    step = max(1, BLOCK // (2 * a.shape[1]))
    for start in range(0, len(i), step):
        difference = a[i[start : start + step]]
        difference -= b[j[start : start + step]]
        result[start : start + step] = np.einsum("nd,nd->n", difference, difference)
    return result


def nearest(points: Points, count: int, block: int = BLOCK) -> tuple[Features, Index]:
    """Squared distances (N, count), rising, and indices of the nearest other items of the same set.

    count  1 … N - 1; raises ValueError outside. Ties are ordered by index.
    """
    n = len(points)
    if not 1 <= count < n:
        raise ValueError(f"{count} neighbors asked of a set of {n}")
    left, right = points.lifted(), points.raised(points.square)
    margin = 2.0 * points.rounding(points)
    sample = np.arange(0, n, 4) if n > 64 * count else np.arange(n)  # a subset's count-th neighbor is never too near
    distance, index = np.empty((n, count)), np.empty((n, count), dtype=np.int64)
    rows = max(1, block // n)
    for start in range(0, n, rows):
        own = np.arange(start, min(start + rows, n))
        score = left[own] @ right.T
        score[own - start, own] = np.inf
        bound = np.partition(score[:, sample], count - 1, axis=1)[:, count - 1] + margin
        i, j = _where(score <= bound[:, None])
        exact = squared_distances(points.exact, points.exact, own[i], j)
        order = np.lexsort((j, exact, i))
        starts = np.searchsorted(i, np.arange(len(own)))
        taken = order[starts[:, None] + np.arange(count)]
        distance[own], index[own] = exact[taken], j[taken]
    return distance, index


def inside(
    balls: Points, radius2: Features, points: Points, *, closed: bool = False, block: int = BLOCK
) -> Iterator[tuple[Index, Index]]:
    """Pairs (ball, point) with the point inside the ball, by blocks of balls.

    radius2 (B,) squared radii; closed counts a point on the sphere
    """
    left, right = points.lifted(), balls.raised(balls.square - radius2 / balls.unit**2)
    margin = points.rounding(balls)
    rows = max(1, block // max(1, len(points)))
    limit = (-points.square).astype(np.float32)  # |a - b|² < r²  ⇔  (|b|² - r²) - 2ab < -|a|²
    for start in range(0, len(balls), rows):
        score = right[start : start + rows] @ left.T
        i, j = _where(score <= limit + np.float32(margin))
        unclear = np.flatnonzero(score[i, j] >= limit[j] - np.float32(margin))
        exact = squared_distances(balls.exact, points.exact, i[unclear] + start, j[unclear])
        radius = radius2[i[unclear] + start]
        outside = unclear[exact > radius] if closed else unclear[exact >= radius]
        keep = np.ones(len(i), dtype=bool)
        keep[outside] = False
        yield i[keep] + start, j[keep]


def _where(mask: NDArray[np.bool_]) -> tuple[Index, Index]:
    flat = np.flatnonzero(mask)
    i = flat // mask.shape[1]
    return i, flat - i * mask.shape[1]
