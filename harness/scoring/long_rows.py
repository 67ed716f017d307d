"""Rows of features that are too long to keep: computed when a metric asks for some of them, and forgotten.

An image of 512 px has 10 MB of stacked LPIPS activations on alex and 128 MB on vgg: a cell of 640 images would put 7 or
82 GB into the store. A metric that works group by group needs one group at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.metrics.metric import Array, CannotMeasure, ScoreStatus


@dataclass(frozen=True)
class LongRows:
    """(N, D) float32 by rows: `rows[indices]` computes, `len`, `shape` and iterating work as on an array.

    images (N, H, W, 3) uint8;  width D;  compute (n, H, W, 3) uint8 → (n, D);  at_once  rows of an iteration's pass
    """

    images: NDArray[np.uint8]
    width: int
    compute: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    at_once: int

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.images), self.width

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, indices: Array) -> NDArray[np.float32]:
        rows = self.compute(self.images[indices])
        if rows.shape != (len(indices), self.width):
            raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"features are {rows.shape}, expected (n, {self.width})")
        if not np.isfinite(rows).all():
            raise CannotMeasure(ScoreStatus.UNDEFINED, "features are not finite")
        return rows

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(self), self.at_once):
            yield from self[np.arange(start, min(start + self.at_once, len(self)))]
