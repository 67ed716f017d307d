"""Exact nearest neighbours: a float32 product of centred rows makes a shortlist, float64 differences decide.

|a|² + |b|² - 2ab in float32 is never trusted: at 2000×2048 features of mean 3 the distance of a point to itself comes
out as .1. Every pair that could be nearest within the rounding bound of the product is recomputed as the norm of the
difference, so d(x, x) is 0 exactly and the result does not depend on the block size (metrics.md section 1.4, T24).
Memory: three blocks of the product in float32 and `_ELEMENTS` differences in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import Array

_ELEMENTS = 1 << 23  # float64 numbers of differences held at a time (64 MB)


@dataclass(frozen=True)
class Nearest:
    """distance (N,) float64 Euclidean, to the nearest reference row; index (N,) that row, the lowest of equals."""

    distance: Floats
    index: Ints


def nearest(points: Array, references: Array, *, exclude: Ints | None = None, block: int | None = None) -> Nearest:
    """The nearest row of `references` (M, D) to each row of `points` (N, D), exactly.

    exclude  (N,) a reference row that does not count for each point (itself), by number, not by distance; -1 for none
    block    rows compared at a time; by default as many as keep a block of the product at 32 MB
    Raises ValueError: shapes that do not fit, or no reference left.
    """
    if points.ndim != 2 or references.ndim != 2 or points.shape[1] != references.shape[1]:
        raise ValueError(f"points {points.shape} and references {references.shape} are not in one space")
    if len(references) - (exclude is not None) < 1:
        raise ValueError("no reference to compare with")
    step = block or max(1, _ELEMENTS // len(references))
    centre = references.mean(axis=0, dtype=np.float64)
    centred, squares = _centred(references, centre)
    # The error of |b|² - 2ab in float32, rows of length D, is below 2 (D + 16) ε (|a|² + |b|²).
    slack = np.float32(2 * (points.shape[1] + 16) * np.finfo(np.float32).eps)
    distance, index = np.empty(len(points)), np.empty(len(points), dtype=np.int64)
    for start in range(0, len(points), step):
        rows = points[start : start + step]
        left, own = _centred(rows, centre)
        relative = left @ (-2 * centred.T)
        relative += squares
        if exclude is not None:
            skip = exclude[start : start + step]
            at = np.flatnonzero(skip >= 0)
            relative[at, skip[at]] = np.inf
        best = (relative + slack * squares).min(axis=1) + 2 * slack * own
        i, j = np.nonzero(relative - slack * squares <= best[:, None])
        exact = pair_distances(rows, references, i, j)
        order = np.lexsort((j, exact, i))
        first = order[np.searchsorted(i[order], np.arange(len(rows)))]
        distance[start : start + step], index[start : start + step] = exact[first], j[first]
    return Nearest(distance, index)


def _centred(rows: Array, centre: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows minus the centre, and their squared lengths."""
    moved = (rows - centre).astype(np.float32)
    return moved, np.einsum("nd,nd->n", moved, moved)


def pair_distances(a: Array, b: Array, i: Ints, j: Ints) -> Floats:
    """Euclidean distances of rows a[i] and b[j] by direct differences in float64."""
    out = np.empty(len(i))
    step = max(1, _ELEMENTS // max(1, a.shape[1]))
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        difference = a[i[part]].astype(np.float64) - b[j[part]]
        out[part] = np.sqrt((difference * difference).sum(axis=1))
    return out


def nearest_other(references: Array, rows: Ints | None = None, *, block: int | None = None) -> Nearest:
    """The nearest other row of `references` to its rows numbered in `rows` (all by default).

    A duplicate counts, the row itself does not.
    """
    chosen = np.arange(len(references)) if rows is None else rows
    return nearest(references[chosen], references, exclude=chosen, block=block)
