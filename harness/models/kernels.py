"""Gaussian windows and their means over pictures, one axis after the other."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class Border(StrEnum):
    """What lies outside of a picture."""

    ZERO = "zero"
    MIRROR = "mirror"  # the last row is not repeated
    VALID = "valid"  # whole windows only: the result is smaller


def gaussian(size: int, sigma: float) -> tuple[float, ...]:
    """Weights of an odd window, sum 1. Raises ValueError for an even size."""
    if size % 2 == 0:
        raise ValueError(f"a window of {size} px has no middle: its size must be odd")
    if size == 1:
        return (1.0,)
    weights = [math.exp(-(((i - size // 2) / sigma) ** 2) / 2) for i in range(size)]
    return tuple(w / math.fsum(weights) for w in weights)


def windowed(x: Tensor, weights: tuple[float, ...], border: Border) -> Tensor:
    """Weighted means over windows of (n, C, H, W), along rows and columns. Raises ValueError for windows too wide."""
    from torch.nn import functional

    half = len(weights) // 2
    if half >= min(x.shape[2:]):
        raise ValueError(f"a window of {len(weights)} px is too wide for a picture of {tuple(x.shape[2:])}")
    if half and border is not Border.VALID:
        mode = "constant" if border is Border.ZERO else "reflect"
        x = functional.pad(x, (half, half, half, half), mode=mode)
    rows, columns = (_band(weights, side, x) for side in x.shape[2:])
    return rows @ x @ columns.mT


def _band(weights: tuple[float, ...], side: int, like: Tensor) -> Tensor:
    """(side - w + 1, side): the window moved one step a row. Products with it are quicker than narrow convolutions."""
    import torch

    count = side - len(weights) + 1
    rows = [[0.0] * i + [*weights] + [0.0] * (count - 1 - i) for i in range(count)]
    return torch.tensor(rows, dtype=like.dtype, device=like.device)
