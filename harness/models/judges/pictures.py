"""How judges of images read them: checked, in batches of one size, so that no picture's score depends on the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 64


def of(artifacts: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """The images (n, H, W, 3) uint8. Raises TypeError for anything else."""
    images = artifacts["images"]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise TypeError(f"images must be uint8 (n, H, W, 3), found {images.dtype} {images.shape}")
    return images


def rows(forward: Callable[[Tensor], Tensor], images: NDArray[Any], device: str, *, batch: int = BATCH) -> Tensor:
    """forward of all images (n, H, W, 3), as tensors (batch, 3, H, W) float32 of the same levels: (n, …) on the CPU.

    The last batch is filled up with black, so that every pass has one shape and a row is the same in any of them.
    """
    import torch

    from harness.models.determinism import full_precision

    parts = []
    with torch.inference_mode(), full_precision(device):
        for start in range(0, len(images), batch):
            part = torch.from_numpy(images[start : start + batch].copy()).to(device)
            part = part.permute(0, 3, 1, 2).float()
            full = torch.cat([part, part.new_zeros(batch - len(part), *part.shape[1:])]) if len(part) < batch else part
            parts.append(forward(full.contiguous())[: len(part)].float().cpu())
    return torch.cat(parts) if parts else torch.empty(0)
