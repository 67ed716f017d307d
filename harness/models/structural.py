"""SSIM of pictures as a loss: the same numbers as harness/metrics/structure.py, differentiable.

Gaussian window 11 x 11, sigma 1.5, whole windows, range 1, mean over channels; float64, because variances are
differences of squares. DSSIM = (1 - SSIM) / 2. Source: Wang et al. 2004.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.models.kernels import Border, gaussian, windowed

if TYPE_CHECKING:
    from torch import Tensor

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """(n,) float64 of pictures (n, C, H, W) in [0, 1], sides of at least 11."""
    weights = gaussian(WINDOW, SIGMA)

    def mean(v: Tensor) -> Tensor:
        return windowed(v, weights, Border.VALID)

    x, y = a.double(), b.double()
    mx, my = mean(x), mean(y)
    vx, vy = (mean(x * x) - mx * mx).clamp_min(0.0), (mean(y * y) - my * my).clamp_min(0.0)
    contrast = (2 * (mean(x * y) - mx * my) + C2) / (vx + vy + C2)
    luminance = (2 * mx * my + C1) / (mx * mx + my * my + C1)
    return (contrast * luminance).mean(dim=(1, 2, 3))


def dssim(a: Tensor, b: Tensor) -> Tensor:
    """(n,) float64, 0 for equal pictures."""
    return (1.0 - ssim(a, b)) / 2.0
