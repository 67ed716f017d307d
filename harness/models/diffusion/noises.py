"""Facts of initial noise that explain a result: its norm, channel means and radial spectrum (generation.md 0.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


def facts(noise: Tensor) -> dict[str, NDArray[np.float32]]:
    """norm (N,), channel_mean (N, C), spectrum (N, R) of noise (N, C, H, W); white noise has spectrum 1 everywhere."""
    z = noise.double().numpy()
    return {
        "norm": np.sqrt((z**2).sum((1, 2, 3))).astype(np.float32),
        "channel_mean": z.mean((2, 3)).astype(np.float32),
        "spectrum": radial_spectrum(z).astype(np.float32),
    }


def radial_spectrum(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean power per ring of spatial frequency, over channels; rings are whole cycles per side, the last has the rest.

    z  (N, C, H, W)
    →  (N, R) with R = min(H, W) // 2 + 1
    """
    h, w = z.shape[-2:]
    power = np.abs(np.fft.fft2(z)) ** 2 / (h * w)
    radius = np.hypot(np.fft.fftfreq(h)[:, None] * h, np.fft.fftfreq(w)[None] * w)
    ring = np.minimum(np.rint(radius).astype(int), min(h, w) // 2)
    rings = [power[..., ring == r].mean((1, 2)) for r in range(min(h, w) // 2 + 1)]
    return np.stack(rings, axis=1)


def digest(arrays: Iterable[NDArray[Any]]) -> str:
    """32 hexadecimal digits naming the bytes of arrays in order."""
    state = hashlib.blake2b(digest_size=16)
    for array in arrays:
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()
