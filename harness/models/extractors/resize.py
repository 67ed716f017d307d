"""Resizing as the reference implementations do it, each rule under its own name.

`pil-bicubic-f32-aa` is clean-fid's: every channel as a float32 image through Pillow's antialiased bicubic, clipped to
[0, 255], never rounded back. It runs in Pillow on every device: torch's antialiased bicubic differs by up to .007 of a
level (metrics.md 1.2), and one name must mean one computation. All rules are the identity at the target size, so no
test of them may be made there. Precision: equal to clean-fid and torchvision bit by bit. Traps: T1, T2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rule = Literal["none", "pil-bicubic-f32-aa", "torch-bilinear-f32", "pil-bicubic-u8-aa", "pil-bilinear-u8-aa"]
Pixels = NDArray[np.uint8]
Levels = NDArray[np.float32]


@dataclass(frozen=True)
class Resize:
    """(n, H, W, 3) uint8 → (n, h, w, 3) float32 levels in [0, 255].

    rule  see `RULES`; none leaves the size alone
    size  px of the output side;  edge  square: both sides are stretched to it; shortest: the shorter side gets it;
    crop  cut the middle square out afterwards;  window  its side where that is not `size`
    """

    rule: Rule
    size: int = 0
    edge: Literal["square", "shortest"] = "square"
    crop: bool = False
    window: int = 0

    def __str__(self) -> str:
        if self.rule == "none":
            return "none"
        cut = f":crop{self.window or ''}" if self.crop else ""
        return f"{self.rule}:{self.size}{'' if self.edge == 'square' else ':shortest'}{cut}"

    @property
    def middle(self) -> int:
        """px of the side of the square that the crop leaves."""
        return self.window or self.size

    def target(self, height: int, width: int) -> tuple[int, int]:
        """(h, w) before the crop."""
        if self.edge == "square":
            return self.size, self.size
        short, long = min(height, width), int(self.size * max(height, width) / min(height, width))
        return (self.size, long) if height == short else (long, self.size)

    def __call__(self, images: Pixels) -> Levels:
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise TypeError(f"images must be uint8 (N, H, W, 3), found {images.dtype} {images.shape}")
        if self.rule == "none":
            return images.astype(np.float32)
        made = RULES[self.rule](images, *self.target(*images.shape[1:3]))
        if not self.crop:
            return made
        top, left = ((side - self.middle) // 2 for side in made.shape[1:3])
        return np.ascontiguousarray(made[:, top : top + self.middle, left : left + self.middle])


def _pil_float(images: Pixels, height: int, width: int) -> Levels:
    from PIL import Image

    made = np.empty((len(images), height, width, 3), np.float32)
    for image, out in zip(images.astype(np.float32), made, strict=True):
        for channel in range(3):
            whole = Image.fromarray(np.ascontiguousarray(image[:, :, channel]), mode="F")
            out[:, :, channel] = np.asarray(whole.resize((width, height), resample=Image.Resampling.BICUBIC))
    return np.clip(made, 0.0, 255.0, out=made)


def _pil_bytes(images: Pixels, height: int, width: int, *, bilinear: bool) -> Levels:
    from PIL import Image

    rule = Image.Resampling.BILINEAR if bilinear else Image.Resampling.BICUBIC
    whole = [np.asarray(Image.fromarray(image).resize((width, height), resample=rule)) for image in images]
    return np.stack(whole).astype(np.float32)


def _torch_bilinear(images: Pixels, height: int, width: int) -> Levels:
    import torch

    levels = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)
    made = torch.nn.functional.interpolate(levels, size=(height, width), mode="bilinear", align_corners=False)
    return np.ascontiguousarray(made.permute(0, 2, 3, 1).numpy().clip(0.0, 255.0))


RULES: dict[str, Callable[[Pixels, int, int], Levels]] = {
    "pil-bicubic-f32-aa": _pil_float,  # clean-fid, mode clean
    "torch-bilinear-f32": _torch_bilinear,  # clean-fid, mode legacy_pytorch: no antialias
    "pil-bicubic-u8-aa": lambda x, h, w: _pil_bytes(x, h, w, bilinear=False),  # CLIP's processor
    "pil-bilinear-u8-aa": lambda x, h, w: _pil_bytes(x, h, w, bilinear=True),  # torchvision's Resize on an image
}
