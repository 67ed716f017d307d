"""SSIM, MS-SSIM and PSNR of pairs of uint8 images, on arrays.

Border `valid` counts whole windows only, as the paper, its authors' code and scikit-image do (equal to 1e-7); it is
written out here, the Gaussian as a banded matrix along each axis, because no library has it in batches. Border
`reflect` is torchmetrics, in float64: it mirrors five pixels around the image for SSIM and leaves them out of the
contrast of MS-SSIM. On the fixture of T62 it gives .6077 where the others give .5773, so the rule has its place in the
id. In float32 the fifth digit is lost: variances are differences of squares up to 65025.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from harness.metrics.inputs import Floats
from harness.metrics.metric import Array

WINDOW, SIGMA = 11, 1.5
RANGE = 255.0
C1, C2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_PIXELS = 1 << 21  # of a block of images (float64: 50 MB with three channels)


class Border(StrEnum):
    VALID = "valid"  # whole windows only
    REFLECT = "reflect"  # mirrored borders, as torchmetrics


@dataclass(frozen=True)
class Local:
    """Images at one resolution, and their mean and variance under the window.

    pixels (n, 3, h, w);  mean, variance (n, 3, h - 10, w - 10)
    """

    pixels: Floats
    mean: Floats
    variance: Floats

    @classmethod
    def of(cls, pixels: Floats) -> Local:
        mean = windowed(pixels)
        return cls(pixels, mean, np.maximum(windowed(pixels**2) - mean**2, 0.0))

    def halved(self) -> Local:
        """Means of 2 x 2 blocks; an odd last row or column is left out."""
        n, channels, height, width = self.pixels.shape
        even = self.pixels[:, :, : height // 2 * 2, : width // 2 * 2]
        return Local.of(even.reshape(n, channels, height // 2, 2, width // 2, 2).mean(axis=(3, 5)))

    def at(self, rows: Array) -> Local:
        """The images numbered in `rows`."""
        return Local(self.pixels[rows], self.mean[rows], self.variance[rows])


def windowed(x: Floats) -> Floats:
    """Gaussian window over (…, h, w), whole windows only: (…, h - 10, w - 10)."""
    return np.asarray(_band(x.shape[-2]) @ x @ _band(x.shape[-1]).T)


def _band(size: int) -> Floats:
    """(size - 10, size): the normalised window, moved one step a row."""
    if size < WINDOW:
        raise ValueError(f"a side of {size} px holds no window of {WINDOW}")
    weights = np.exp(-(((np.arange(WINDOW) - WINDOW // 2) / SIGMA) ** 2) / 2)
    band = np.zeros((size - WINDOW + 1, size))
    for row in range(len(band)):
        band[row, row : row + WINDOW] = weights / weights.sum()
    return band


def similarity(x: Local, y: Local) -> tuple[Floats, Floats]:
    """SSIM (n,) and its contrast-structure factor (n,), means over channels and whole windows."""
    covariance = windowed(x.pixels * y.pixels) - x.mean * y.mean
    contrast = (2 * covariance + C2) / (x.variance + y.variance + C2)
    luminance = (2 * x.mean * y.mean + C1) / (x.mean**2 + y.mean**2 + C1)
    return (contrast * luminance).mean(axis=(1, 2, 3)), contrast.mean(axis=(1, 2, 3))


def pyramid(images: Array, scales: int) -> tuple[Local, ...]:
    """Images (n, H, W, 3) uint8 at `scales` resolutions, each half of the one before. Raises TypeError for floats."""
    levels = [Local.of(_levels(images))]
    while len(levels) < scales:
        levels.append(levels[-1].halved())
    return tuple(levels)


def multi_scale(x: tuple[Local, ...], y: tuple[Local, ...]) -> Floats:
    """MS-SSIM (n,) of two pyramids: Π contrast^β below the last scale, SSIM^β at it; negative factors count as 0."""
    found = [similarity(a, b) for a, b in zip(x, y, strict=True)]
    factors = [contrast for _, contrast in found[:-1]] + [found[-1][0]]
    return np.asarray(np.prod([np.maximum(f, 0.0) ** b for f, b in zip(factors, betas(len(x)), strict=True)], axis=0))


def betas(scales: int) -> tuple[float, ...]:
    """The weights of so many scales: the published ones, of fewer scales the first, scaled to sum 1."""
    total = 1.0 if scales == len(BETAS) else sum(BETAS[:scales])
    return tuple(beta / total for beta in BETAS[:scales])


def ssim(a: Array, b: Array, border: Border = Border.VALID) -> Floats:
    """(N,) SSIM of image pairs (N, H, W, 3) uint8, sides of at least 11. Raises TypeError for floats."""
    if border is Border.REFLECT:
        return _torchmetrics("structural_similarity_index_measure", a, b)
    return np.concatenate([similarity(Local.of(_levels(x)), Local.of(_levels(y)))[0] for x, y in _blocks(a, b)])


def ms_ssim(a: Array, b: Array, scales: int = len(BETAS), border: Border = Border.VALID) -> Floats:
    """(N,) MS-SSIM of image pairs (N, H, W, 3) uint8. Raises TypeError for floats."""
    if border is Border.REFLECT:
        name = "multiscale_structural_similarity_index_measure"
        return _torchmetrics(name, a, b, betas=betas(scales), normalize="relu")
    return np.concatenate([multi_scale(pyramid(x, scales), pyramid(y, scales)) for x, y in _blocks(a, b)])


def _torchmetrics(function: str, a: Array, b: Array, **more: object) -> Floats:
    """(N,) values of a function of torchmetrics.functional.image, in float64."""
    import torch
    from torchmetrics.functional import image

    settings = {"gaussian_kernel": True, "sigma": SIGMA, "kernel_size": WINDOW, "data_range": RANGE, **more}
    found = [
        getattr(image, function)(*(torch.from_numpy(_levels(v)) for v in pair), reduction="none", **settings)
        for pair in _blocks(a, b)
    ]
    return np.concatenate([values.reshape(-1).numpy() for values in found])


def psnr(a: Array, b: Array) -> Floats:
    """(N,) PSNR in dB of image pairs (N, H, W, 3) uint8; infinite for identical ones. Raises TypeError for floats."""
    squares = np.concatenate([((_levels(x) - _levels(y)) ** 2).mean(axis=(1, 2, 3)) for x, y in _blocks(a, b)])
    with np.errstate(divide="ignore"):
        return np.asarray(10.0 * np.log10(RANGE**2 / squares))


def _blocks(a: Array, b: Array) -> Iterator[tuple[Array, Array]]:
    step = max(1, _PIXELS // int(np.prod(a.shape[1:])))
    for start in range(0, len(a), step):
        yield a[start : start + step], b[start : start + step]


def _levels(images: Array) -> Floats:
    if images.dtype != np.uint8:
        raise TypeError(f"images must be uint8, found {images.dtype}: the range of floats is not known")
    return np.ascontiguousarray(np.moveaxis(images.astype(np.float64), 3, 1))
