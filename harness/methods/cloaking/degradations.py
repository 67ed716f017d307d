"""Blur, pixelation and downscaling: protection by destroying the photo, the upper bound that must lose quality.

blur: Gaussian, mirrored borders, window to 4 sigma. pixelate: means of square blocks. downscale: means of a smaller
picture's pixels, enlarged bilinearly. Source: none needed; face_privacy.md section 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.cloaking.photos import Photos, Tools, in_blocks
from harness.methods.method import Source, Transform, method
from harness.models.kernels import Border, gaussian, windowed
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

NONE_NEEDED = "none needed"


@method("blur", source=Source(title="Gaussian blur", licence=NONE_NEEDED))
@dataclass(frozen=True)
class Blur(Transform):
    """Sigma 0 is the photo."""

    sigma: float = option(3.0, unit="px", at_least=0, help="of the Gaussian", source="ours: LowKey's blur")

    def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        return in_blocks(photos, tools, lambda block: self.blurred(block.pixels))

    def blurred(self, x: Tensor) -> Tensor:
        """Pictures (n, 3, H, W) under the window, which ends where mirroring does."""
        if not self.sigma:
            return x
        half = min(math.ceil(4 * self.sigma), min(x.shape[2:]) - 1)
        return windowed(x, gaussian(2 * half + 1, self.sigma), Border.MIRROR).clamp(0.0, 1.0)


@method("pixelate", source=Source(title="Pixelation", licence=NONE_NEEDED))
@dataclass(frozen=True)
class Pixelate(Transform):
    """Block 1 is the photo."""

    block: int = option(8, unit="px", at_least=1, help="side of a block; blocks at the end are smaller", source="ours")

    def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        return in_blocks(photos, tools, lambda block: self.pixelated(block.pixels))

    def pixelated(self, x: Tensor) -> Tensor:
        """Pictures (n, 3, H, W) of blocks of one color."""
        from torch.nn import functional

        if self.block == 1:
            return x
        means = functional.avg_pool2d(x, self.block, ceil_mode=True, count_include_pad=False)
        large = means.repeat_interleave(self.block, dim=2).repeat_interleave(self.block, dim=3)
        return large[:, :, : x.shape[2], : x.shape[3]].clamp(0.0, 1.0)


@method("downscale", source=Source(title="Downscaling", licence=NONE_NEEDED))
@dataclass(frozen=True)
class Downscale(Transform):
    """Factor 1 is the photo."""

    factor: float = option(4.0, unit="times", at_least=1, help="smaller a side, then enlarged again", source="ours")

    def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        return in_blocks(photos, tools, lambda block: self.rescaled(block.pixels))

    def rescaled(self, x: Tensor) -> Tensor:
        """Pictures (n, 3, H, W) of the same size with the detail of smaller ones."""
        from torch.nn import functional

        if self.factor == 1:
            return x
        small = tuple(max(1, round(side / self.factor)) for side in x.shape[2:])
        means = functional.interpolate(x, size=small, mode="area")
        found = functional.interpolate(means, size=x.shape[2:], mode="bilinear", align_corners=False)
        return found.clamp(0.0, 1.0)
