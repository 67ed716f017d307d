"""Exact nearest neighbours: a float32 product of centred rows makes a shortlist, float64 differences decide.

|a|² + |b|² - 2ab in float32 is never trusted: at 2000×2048 features of mean 3 the distance of a point to itself comes
out as .1. Every pair that could be nearest within the rounding bound of the product is recomputed as the norm of the
difference, so d(x, x) is 0 exactly and the result does not depend on the block size (metrics.md section 1.4, T24).
Memory: block × references float32 and `_ELEMENTS` float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import Array

_ELEMENTS = 1 << 23  # float64 numbers of differences held at a time (64 MB)


@dataclass(frozen=True)
class Nearest:
    """distance (N,) float64 Euclidean, to the nearest reference row; index (N,) that row, the lowest of equals."""

    distance: Floats
    index: Ints


def nearest(points: Array, references: Array, *, exclude: Ints | None = None, block: int = 1024) -> Nearest:
    """The nearest row of `references` (M, D) to each row of `points` (N, D), exactly.

    exclude  (N,) a reference row that does not count for each point (itself), by number, not by distance; -1 for none
    block    rows compared at a time
    Raises ValueError: shapes that do not fit, or no reference left.
    """
    if points.ndim != 2 or references.ndim != 2 or points.shape[1] != references.shape[1]:
        raise ValueError(f"points {points.shape} and references {references.shape} are not in one space")
    if len(references) - (exclude is not None) < 1:
        raise ValueError("no reference to compare with")
    centre = references.mean(axis=0, dtype=np.float64)
    centred = (references - centre).astype(np.float32)
    squares = (centred.astype(np.float64) ** 2).sum(axis=1)
    # Bound on the error of a float32 dot product of length D, with the rounding of the centred rows: (D + 8) ε |a||b|.
    slack = (points.shape[1] + 8) * float(np.finfo(np.float32).eps)
    distance, index = np.empty(len(points)), np.empty(len(points), dtype=np.int64)
    for start in range(0, len(points), block):
        rows = points[start : start + block]
        left = (rows - centre).astype(np.float32)
        own = (left.astype(np.float64) ** 2).sum(axis=1)[:, None]
        product = (left @ centred.T).astype(np.float64)
        approximate, margin = own + squares - 2 * product, slack * (own + squares)
        if exclude is not None:
            skip = exclude[start : start + block]
            at = np.flatnonzero(skip >= 0)
            approximate[at, skip[at]] = np.inf
        best = (approximate + margin).min(axis=1, keepdims=True)
        i, j = np.nonzero(approximate - margin <= best)
        exact = pair_distances(rows, references, i, j)
        order = np.lexsort((j, exact, i))
        first = order[np.searchsorted(i[order], np.arange(len(rows)))]
        distance[start : start + block], index[start : start + block] = exact[first], j[first]
    return Nearest(distance, index)


def pair_distances(a: Array, b: Array, i: Ints, j: Ints) -> Floats:
    """Euclidean distances of rows a[i] and b[j] by direct differences in float64."""
    out = np.empty(len(i))
    step = max(1, _ELEMENTS // max(1, a.shape[1]))
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        difference = a[i[part]].astype(np.float64) - b[j[part]]
        out[part] = np.sqrt((difference * difference).sum(axis=1))
    return out


def nearest_other(references: Array, *, block: int = 1024) -> Nearest:
    """The nearest other row of each row of `references`: a duplicate counts, the row itself does not."""
    return nearest(references, references, exclude=np.arange(len(references)), block=block)
