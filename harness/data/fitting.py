"""Crop and resize rules of image sets, declared in the id: one size for images that come in many.

none     as they are
crop     the shorter side to `side` by bicubic with antialias in float32, per channel; the middle `side`×`side`
stretch  both sides to `side` by the same kernel; the shape is lost
adm      halving by a box filter while the shorter side is at least 2·side, uint8 bicubic to `side`, the middle:
         the rule of the ImageNet reference batches in the ADM layout (Dhariwal & Nichol 2021)

Float results are clipped and rounded once, at the end (metrics.md section 1.2; kernel `pil-bicubic-f32-aa`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rule = Literal["none", "crop", "stretch", "adm"]


@dataclass(frozen=True)
class Fit:
    """side: pixels a side, None only with rule none. Raises ValueError for one without the other."""

    rule: Rule = "none"
    side: int | None = None

    def __post_init__(self) -> None:
        if (self.rule == "none") is not (self.side is None):
            raise ValueError("`fit` and `side` belong together: give both (fit: crop, side: 256) or none")

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 → (side, side, 3) uint8; the very array where nothing is to be done."""
        if self.side is None or self.rule == "none" or pixels.shape[:2] == (self.side, self.side):
            return pixels
        if self.rule == "stretch":
            return _resized(pixels, self.side, self.side)
        height, width = pixels.shape[:2]
        if self.rule == "crop":
            scale = self.side / min(height, width)
            return _middle(_resized(pixels, round(height * scale), round(width * scale)), self.side)
        return _middle(_adm(pixels, self.side), self.side)


def _resized(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    from PIL import Image

    if pixels.shape[:2] == (height, width):
        return pixels
    planes = [
        np.asarray(Image.fromarray(pixels[..., c].astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC))
        for c in range(3)
    ]
    levels: NDArray[np.uint8] = np.rint(np.clip(np.stack(planes, axis=-1), 0.0, 255.0)).astype(np.uint8)
    return levels


def _adm(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    from PIL import Image

    image = Image.fromarray(pixels)
    while min(image.size) >= 2 * side:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = side / min(image.size)
    target = (round(image.width * scale), round(image.height * scale))
    return np.asarray(image.resize(target, Image.Resampling.BICUBIC), dtype=np.uint8)


def _middle(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])
