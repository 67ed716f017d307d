"""Diverse inputs: a picture shrunk by bilinear interpolation and put somewhere on black, as one linear map an axis.

Written as matrices (n, side, side), because every photo has draws of its own and the gradient of a matrix product is
the same on every device. Source: arXiv 1803.06978, which enlarges 299 px to 299 … 330 and fills up to 330 with black;
the recognisers here bring every picture to their own size, so that shrinking by the same ratio is the same picture.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.methods.cloaking.photos import Photos

if TYPE_CHECKING:
    from torch import Tensor


def placing(side: int, size: Tensor, offset: Tensor) -> Tensor:
    """(n, side, side) float32: `side` samples to `size` (n,) of them, from `offset` (n,) on, zeros elsewhere."""
    import torch

    to, source = torch.arange(side, device=size.device), torch.arange(side, device=size.device)
    at = to[None] - offset[:, None]
    read = ((at + 0.5) * side / size[:, None] - 0.5).clamp(0.0, side - 1.0)
    inside = (at >= 0) & (at < size[:, None])
    near = (1.0 - (read[:, :, None] - source).abs()).clamp_min(0.0)
    return (near * inside[:, :, None]).float()


def placed(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pictures (n, C, H, W) under the maps (n, H, H) of their rows and (n, W, W) of their columns."""
    return rows[:, None] @ x @ columns[:, None].mT


class DiverseInputs:
    """The inputs of every step: with probability `share` shrunk to `least` … 1 of the side, else the picture itself."""

    def __init__(self, photos: Photos, seed: int, name: str, steps: int, share: float, least: float) -> None:
        import torch

        drawn = np.stack(photos.draws(seed, name, lambda g: g.random((steps, 4))))
        self._drawn = torch.from_numpy(drawn).to(photos.pixels.device)
        self._share, self._least = share, least

    def __call__(self, x: Tensor, step: int) -> Tensor:
        """Pictures (n, C, H, W) as the recognisers see them in this step; x itself where nothing is ever diverse."""
        if not self._share or self._least == 1.0:
            return x
        whether, ratio, down, right = self._drawn[:, step].unbind(1)
        maps = []
        for side, move in zip(x.shape[2:], (down, right), strict=True):
            least = math.ceil(self._least * side)
            size = least + (ratio * (side - least + 1)).floor()
            offset = (move * (side - size + 1)).floor()
            shrunk = whether < self._share
            maps.append(placing(side, size.where(shrunk, size.new_tensor(side)), offset.where(shrunk, offset * 0)))
        return placed(x, *maps)
