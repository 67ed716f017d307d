"""What the denoising loop hands back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Samples:
    """What the loop gave, in the order of the groups and of the samples inside them.

    images   (N, H, W, 3) uint8;  latents (N, D) float32, final and model-scaled
    noise    per-item facts of the initial noise that was used: norm (N,), channel_mean (N, C), spectrum (N, R)
    calls    network evaluations of items (conditional, unconditional, auxiliary), decoder, extractor and gradient
             calls of items, padded evaluations
    activity (prompt index, group index, name, step, value) as the methods and the loop logged them
    micro_batch, tries   the size used at the end, and how many sizes ran out of memory
    digests  of noise, conditions, latents at three steps, images: where two runs first differ
    seconds  condition, denoise, decode
    """

    images: NDArray[np.uint8]
    latents: NDArray[np.float32]
    noise: dict[str, NDArray[np.float32]]
    calls: dict[str, int]
    activity: tuple[tuple[int, int, str, int, float], ...]
    micro_batch: int
    tries: int
    digests: dict[str, str]
    seconds: dict[str, float]
