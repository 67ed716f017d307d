"""Pixels to bytes: the one writer of the project (metrics.md section 1.1, test T3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def to_uint8(images: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Images in [0, 1] as bytes, any shape: round(clip(x, 0, 1) · 255). Raises ValueError on NaN."""
    if np.isnan(images).any():
        raise ValueError(f"{int(np.isnan(images).sum())} of {images.size} pixel values are NaN; expected [0, 1]")
    levels: NDArray[np.uint8] = np.rint(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)
    return levels
