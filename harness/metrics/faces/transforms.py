"""What happens to a photo on its way to a recogniser: compression, scaling, blur, crops, brightness.

Functions of uint8 photos (N, H, W, 3) → the same shape and type, photo by photo: a photo's result never depends on its
neighbours. The same transform, with the same shift of a crop, is always applied to the clean photos too.
`social1600` (ours): the longer side at most 1600 px, JPEG 80, back to the size it had.
Source: face_privacy.md section 7.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from harness.keys import generator

Photos = NDArray[np.uint8]
Transform = Literal[
    "none",
    "jpeg95",
    "jpeg85",
    "jpeg75",
    "jpeg50",
    "webp80",
    "half",
    "social1600",
    "blur1",
    "median3",
    "crop4",
    "brighter10",
    "darker10",
]
TRANSFORMS: tuple[Transform, ...] = get_args(Transform)
SHIFT = 4  # px, largest shift of a crop
SOCIAL = 1600  # px


def transformed(photos: Photos, name: Transform, keys: Sequence[Sequence[str]], seed: int) -> Photos:
    """The photos after transform `name`.

    keys  one a photo: the shift of a crop is drawn from it, so that a photo and its clean twin shift alike
    Raises ValueError for photos that are not uint8 (N, H, W, 3), and for keys of another number.
    """
    if photos.dtype != np.uint8 or photos.ndim != 4 or photos.shape[3] != 3 or len(keys) != len(photos):
        raise ValueError(f"photos {photos.dtype} {photos.shape} with {len(keys)} keys; expected uint8 (N, H, W, 3)")
    if name == "none":
        return photos
    if name == "crop4":
        moved = [_shifted(p, generator(seed, "stats", "crop", *k)) for p, k in zip(photos, keys, strict=True)]
        return np.stack(moved) if moved else photos
    return np.stack([_EACH[name](p) for p in photos]) if len(photos) else photos


def _encoded(photo: Photos, kind: str, quality: int) -> Photos:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(photo).save(file, kind, quality=quality)
    return np.asarray(Image.open(file).convert("RGB"), dtype=np.uint8)


def _resized(photo: Photos, height: int, width: int) -> Photos:
    """Bicubic with antialiasing."""
    from PIL import Image

    return np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC), dtype=np.uint8)


def _half(photo: Photos) -> Photos:
    height, width = photo.shape[:2]
    return _resized(_resized(photo, max(1, height // 2), max(1, width // 2)), height, width)


def _social(photo: Photos) -> Photos:
    height, width = photo.shape[:2]
    ratio = min(1.0, SOCIAL / max(height, width))
    sent = photo if ratio == 1.0 else _resized(photo, round(height * ratio), round(width * ratio))
    seen = _encoded(sent, "JPEG", 80)
    return seen if ratio == 1.0 else _resized(seen, height, width)


def _blurred(photo: Photos) -> Photos:
    from scipy.ndimage import gaussian_filter

    return _rounded(gaussian_filter(photo.astype(np.float64), sigma=(1.0, 1.0, 0.0), mode="nearest"))


def _median(photo: Photos) -> Photos:
    from scipy.ndimage import median_filter

    return np.asarray(median_filter(photo, size=(3, 3, 1), mode="nearest"), dtype=np.uint8)


def _shifted(photo: Photos, random: np.random.Generator) -> Photos:
    """Another crop: moved by up to four pixels each way, borders repeated."""
    top, left = random.integers(0, 2 * SHIFT + 1, size=2)
    wide = np.pad(photo, ((SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="edge")
    crop: Photos = wide[top : top + photo.shape[0], left : left + photo.shape[1]]
    return crop


def _rounded(values: NDArray[Any]) -> Photos:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


_EACH: Mapping[str, Callable[[Photos], Photos]] = {
    "jpeg95": lambda p: _encoded(p, "JPEG", 95),
    "jpeg85": lambda p: _encoded(p, "JPEG", 85),
    "jpeg75": lambda p: _encoded(p, "JPEG", 75),
    "jpeg50": lambda p: _encoded(p, "JPEG", 50),
    "webp80": lambda p: _encoded(p, "WEBP", 80),
    "half": _half,
    "social1600": _social,
    "blur1": _blurred,
    "median3": _median,
    "brighter10": lambda p: _rounded(p * 1.1),
    "darker10": lambda p: _rounded(p * 0.9),
}
