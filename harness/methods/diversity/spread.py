"""Geometry of initial noises: block means, blur, greedy max-min, and the distance of two i.i.d. draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def pool(z: Tensor, side: int) -> Tensor:
    """Means of side × side blocks, (K, C, H/side, W/side). Raises ValueError when the blocks do not tile the latent."""
    from torch.nn.functional import avg_pool2d

    tile(tuple(z.shape[1:]), side)
    return avg_pool2d(z, side)


def tile(shape: tuple[int, ...], side: int) -> None:
    """Raises ValueError when side × side blocks do not tile a latent of `shape` (C, H, W)."""
    if shape[1] % side or shape[2] % side:
        raise ValueError(
            f"blocks of {side}×{side} cells do not tile a latent of {shape[1]}×{shape[2]}: set `pool` to a divisor"
        )


def block_mean(z: Tensor, side: int) -> Tensor:
    """L z, every cell replaced by the mean of its block: the orthogonal projector on block-constant latents."""
    return pool(z, side).repeat_interleave(side, 2).repeat_interleave(side, 3)


def iid_distance(quantile: float, shape: tuple[int, ...], block: int = 1) -> float:
    """Quantile of ‖z - z'‖ of two i.i.d. standard normal latents (of their block means): √(2 χ²_d) / block."""
    from scipy.stats import chi2

    tile(shape, block)
    size = math.prod(shape) // block**2
    return math.sqrt(2.0 * float(chi2.ppf(quantile, size))) / block


def farthest(noise: Tensor, draws: Callable[[int], Tensor], features: Callable[[Tensor], Tensor]) -> Tensor:
    """Greedy max-min: item i is the draw whose least distance to the items before it is largest.

    noise     (B, C, H, W), the first draw of each item; it wins ties
    draws     item → its further draws (K, C, H, W)
    features  (K, C, H, W) → (K, F), in which distances are taken
    """
    import torch

    chosen = noise[:1]
    for i in range(1, len(noise)):
        candidates = torch.cat([noise[i : i + 1], draws(i)])
        least = distances(features(candidates), features(chosen)).min(dim=1).values
        chosen = torch.cat([chosen, candidates[int(least.argmax())][None]])
    return chosen


def distances(x: Tensor, y: Tensor) -> Tensor:
    """(N, M) Euclidean distances of float64 rows by the Gram matrix: 1e-12 relative, far below a selection's gaps."""
    square: Tensor = (x * x).sum(1)[:, None] + (y * y).sum(1)[None] - 2.0 * (x @ y.T)
    return square.clamp_min(0.0).sqrt()


def blur(z: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of the last two axes, σ in cells, cut at 4 σ, edges mirrored with the edge cell repeated."""
    rows, columns = blur_matrix(z.shape[-2], sigma).to(z), blur_matrix(z.shape[-1], sigma).to(z)
    return rows @ z @ columns.T


def blur_matrix(size: int, sigma: float) -> Tensor:
    """(size, size) float64, rows sum to 1."""
    import torch

    reach = max(1, round(4.0 * sigma))
    offsets = torch.arange(-reach, reach + 1)
    weights = torch.exp(-0.5 * (offsets.double() / sigma) ** 2)
    weights /= weights.sum()
    matrix = torch.zeros(size, size, dtype=torch.float64)
    for row in range(size):
        position = (row + offsets) % (2 * size)
        mirrored = torch.where(position < size, position, 2 * size - 1 - position)
        matrix[row].index_add_(0, mirrored, weights)
    return matrix


def normed(z: Tensor, like: Tensor) -> Tensor:
    """z (B, …) with the norms of `like`, float32; an item that has its norm already stays as it is, bit for bit."""
    import torch

    wanted, found = like.flatten(1).double().norm(dim=1), z.flatten(1).double().norm(dim=1)
    scale = (wanted / found).view(-1, *[1] * (z.ndim - 1))
    return torch.where(scale == 1.0, z.float(), (z.double() * scale).float())
