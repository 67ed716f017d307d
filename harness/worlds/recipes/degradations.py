"""Planted damages of portraits, each with a severity from 0 (untouched) to 1: what the quality scorers learn to see.

Every damage takes pictures (B, 3, 64, 64) float32 in [0, 1], severities (B,) and a generator, and gives pictures of the
same kind. Severity 0 changes nothing visible. What needs a second portrait takes the neighbour in the batch.
"""

# ruff: noqa: ARG001 - every damage takes a generator, whether it draws or not
from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

Floats = NDArray[np.float32]
Damage = Callable[[Tensor, Tensor, np.random.Generator], Tensor]
SIZE_PX = 64


def _wide(severity: Tensor) -> Tensor:
    return severity[:, None, None, None]


def _field(g: np.random.Generator, n: int, channels: int, cells: int) -> Tensor:
    """Slow noise (n, channels, 64, 64), about standard normal."""
    coarse = torch.from_numpy(g.standard_normal((n, channels, cells, cells), dtype=np.float32))
    wide = functional.interpolate(coarse, size=(SIZE_PX, SIZE_PX), mode="bicubic", align_corners=False)
    return wide / wide.flatten(1).std(1)[:, None, None, None]


def _window(g: np.random.Generator, severity: Tensor, largest: float) -> Tensor:
    """Rectangles (B, 1, 64, 64) of 0 and 1 near the middle; side up to `largest` of the picture."""
    n = len(severity)
    side = (severity * largest * SIZE_PX).round()[:, None, None]
    top, left = (torch.from_numpy(g.uniform(0.1, 0.9, n).astype(np.float32))[:, None, None] for _ in range(2))
    axis = torch.arange(SIZE_PX, dtype=torch.float32)
    inside = [
        (a >= start * (SIZE_PX - side)) & (a < start * (SIZE_PX - side) + side)
        for a, start in ((axis[None, :, None], top), (axis[None, None], left))
    ]
    return (inside[0] & inside[1])[:, None].float()


def blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with a standard deviation (B,) in pixels of its own for each picture."""
    axis = torch.arange(-7, 8, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (axis / sigma.clamp(min=0.05)[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    n, c = images.shape[:2]
    rows = kernel.repeat_interleave(c, 0)[:, None]
    x = functional.pad(images, (7, 7, 7, 7), mode="replicate").reshape(1, n * c, SIZE_PX + 14, SIZE_PX + 14)
    x = functional.conv2d(x, rows[:, :, None], groups=n * c)
    return functional.conv2d(x, rows[:, :, :, None], groups=n * c).reshape(images.shape)


def blur(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """Out of focus, up to 3 pixels."""
    return blurred(images, 3.0 * severity)


def noise(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """White noise, up to a quarter of the range."""
    grain = torch.from_numpy(g.standard_normal(tuple(images.shape), dtype=np.float32))
    return images + 0.25 * _wide(severity) * grain


def jpeg(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """JPEG at quality 90 down to 4."""
    out = torch.empty_like(images)
    levels = (images * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    for i, (picture, s) in enumerate(zip(levels, severity.tolist(), strict=True)):
        if s <= 0:
            out[i] = images[i]
            continue
        store = io.BytesIO()
        Image.fromarray(picture).save(store, "JPEG", quality=round(90 * (4 / 90) ** s))
        back = np.asarray(Image.open(store).convert("RGB"), dtype=np.float32) / 255
        out[i] = torch.from_numpy(back).permute(2, 0, 1)
    return out


def shuffle(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """Up to half of the 8x8-pixel tiles change places."""
    tiles = images.unfold(2, 8, 8).unfold(3, 8, 8)
    n, c = images.shape[:2]
    flat = tiles.reshape(n, c, 64, 8, 8).clone()
    for i, s in enumerate(severity.tolist()):
        moved = g.permutation(64)[: round(32 * s)]
        flat[i, :, moved] = flat[i, :, np.roll(moved, 1)]
    return flat.reshape(n, c, 8, 8, 8, 8).permute(0, 1, 2, 4, 3, 5).reshape(images.shape)


def warp(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """Smooth displacement, up to 4 pixels on average."""
    axis = (torch.arange(SIZE_PX) + 0.5) * 2 / SIZE_PX - 1
    still = torch.stack(torch.meshgrid(axis, axis, indexing="ij")[::-1], dim=-1)
    shift = _field(g, len(images), 2, int(g.integers(4, 9))).permute(0, 2, 3, 1)
    moved = still + 4.0 * 2 / SIZE_PX * severity[:, None, None, None] * shift
    return functional.grid_sample(images, moved, mode="bilinear", padding_mode="border", align_corners=False)


def cast(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """Channels multiplied by factors, up to 2.5 between them."""
    factor = torch.from_numpy(g.standard_normal((len(images), 3, 1, 1)).astype(np.float32))
    factor = factor - factor.mean(1, keepdim=True)
    return images * torch.exp(0.45 * _wide(severity) * factor / factor.std(1, keepdim=True))


def hole(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """A rectangle, up to .55 of each side, smeared to one color with a little grain."""
    inside = _window(g, severity, 0.55)
    mean = (images * inside).sum((2, 3), keepdim=True) / inside.sum((2, 3), keepdim=True).clamp(min=1)
    return images + inside * (mean + 0.03 * _field(g, len(images), 3, 8) - images)


def ghost(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """Another portrait shines through, up to half."""
    return images + 0.5 * _wide(severity) * (images.roll(1, 0) - images)


def checker(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """A checkerboard of 1 or 2 pixels, up to a fifth of the range, stronger in some places."""
    axis = torch.arange(SIZE_PX) // int(g.integers(1, 3))
    board = ((axis[:, None] + axis[None]) % 2 * 2 - 1).float()
    return images + 0.2 * _wide(severity) * board * torch.sigmoid(2 * _field(g, len(images), 1, 4))


def soft(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """Shrunken to as little as a sixth and enlarged again, as a weak decoder does."""
    out = torch.empty_like(images)
    for i, s in enumerate(severity.tolist()):
        side = max(10, round(SIZE_PX / (1 + 5 * s)))
        small = functional.interpolate(images[i : i + 1], size=(side, side), mode="area")
        out[i] = functional.interpolate(small, size=(SIZE_PX, SIZE_PX), mode="bicubic", align_corners=False)[0]
    return out


def blotch(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """Slow stains of color, up to a fifth of the range on average."""
    return images + 0.2 * _wide(severity) * _field(g, len(images), 3, int(g.integers(4, 13)))


def graft(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """A rectangle, up to .55 of each side, from another portrait, with a soft border."""
    inside = blurred(_window(g, severity, 0.55), torch.full((len(images),), 1.2))
    return images + inside * (images.roll(1, 0) - images)


def smear(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """Blurred in some places only, by up to 4 pixels."""
    where = torch.sigmoid(4 * _field(g, len(images), 1, 4))
    return images + where * (blurred(images, 4.0 * severity) - images)


def melt(images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """Redrawn by the autoencoder of avatars-sd, codes disturbed by up to .9 deviations; blended in below .2."""
    network = _autoencoder()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        codes = network.encode(images * 2 - 1).latent_dist.mean.float()
        spread = torch.from_numpy(g.standard_normal(tuple(codes.shape), dtype=np.float32)) * codes.std()
        drawn = network.decode(codes + 0.9 * _wide(severity) * spread).sample.float()
    share = (5 * _wide(severity)).clamp(max=1)
    made: Tensor = images + share * ((drawn + 1) / 2 - images)
    return made


@cache
def _autoencoder():  # type: ignore[no-untyped-def]
    from diffusers import AutoencoderKL

    from harness.models import zoo

    folder = zoo.entry("avatars-sd").directory / "vae"
    return AutoencoderKL.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)


DAMAGES: dict[str, Damage] = {
    function.__name__: function
    for function in (
        *(blur, noise, jpeg, shuffle, warp, cast, hole, ghost, checker, soft),
        *(blotch, graft, smear, melt),
    )
}


def damage(name: str, images: Tensor, severity: Tensor, g: np.random.Generator) -> Tensor:
    """Damaged pictures, clipped to [0, 1] and rounded to 255 levels, as a stored picture is."""
    return (DAMAGES[name](images, severity, g).clamp(0, 1) * 255).round() / 255
