"""Small disturbances of pictures for training nets that must also read generated pictures."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def batch_of(images: NDArray[np.uint8], rows: NDArray[np.int64], device: torch.device) -> Tensor:
    """Pictures (B, 3, H, W) float32 in [0, 1] of images (N, H, W, 3) uint8."""
    return torch.from_numpy(images[rows]).to(device).permute(0, 3, 1, 2).float() / 255


def disturb(images: Tensor, g: np.random.Generator, shift_px: int = 2) -> Tensor:
    """Shifted, blurred, noisy and relit pictures (B, 3, H, W) in [0, 1]; each picture draws its own disturbances."""
    n, _, h, w = images.shape
    padded = functional.pad(images, (shift_px,) * 4, mode="replicate")
    dy, dx = (int(v) for v in g.integers(0, 2 * shift_px + 1, size=2))
    out = padded[:, :, dy : dy + h, dx : dx + w]
    blurred = functional.avg_pool2d(functional.pad(out, (1, 1, 1, 1), mode="replicate"), 3, stride=1)

    def column(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(images.device)[:, None, None, None]

    blur = column(g.random(n) * (g.random(n) < 0.5))
    out = out + blur * (blurred - out)
    noise = torch.from_numpy(g.standard_normal(tuple(out.shape), dtype=np.float32)).to(images.device)
    out = out + column(0.05 * g.random(n)) * noise
    return ((out - 0.5) * column(g.uniform(0.92, 1.08, n)) + 0.5 + column(g.uniform(-0.04, 0.04, n))).clamp(0, 1)
