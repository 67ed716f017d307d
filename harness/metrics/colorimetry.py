"""Colorimetry: sRGB to CIELAB, CIEDE2000, and the hue circle. Closed form, no network.

sRGB is decoded per IEC 61966-2-1. The white point is the image of (1, 1, 1) under the same matrix, so that white is
exactly (100, 0, 0); scikit-image's `rgb2lab` has a matrix and a white that disagree and gives (100, -.0025, .0047).
CIEDE2000: Sharma, Wu and Dalal, Color Research and Application 30(1), 2005; equal to their 34 pairs to 1e-4 [T29].
"""

from __future__ import annotations

import numpy as np

from harness.metrics.inputs import Floats
from harness.metrics.metric import Array

# IEC 61966-2-1, linear sRGB to XYZ (rows X, Y, Z).
XYZ_OF_RGB = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = XYZ_OF_RGB.sum(axis=1)
_PIXELS = 1 << 20  # pixels converted at a time: bounds the memory at about 100 MB


def _decoded() -> Floats:
    level = np.arange(256) / 255.0
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


LINEAR: Floats = _decoded()  # linear light of each uint8 level


def lab(rgb: Array) -> Floats:
    """CIELAB of sRGB levels: (..., 3) uint8 → (..., 3) float64, L in [0, 100]."""
    if rgb.dtype != np.uint8:
        raise TypeError(f"sRGB levels must be uint8, found {rgb.dtype}")
    flat = rgb.reshape(-1, 3)
    out = np.empty(flat.shape)
    for start in range(0, len(flat), _PIXELS):
        block = slice(start, start + _PIXELS)
        xyz = LINEAR[flat[block]] @ (XYZ_OF_RGB / WHITE[:, None]).T
        f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
        out[block, 0] = 116 * f[:, 1] - 16
        out[block, 1] = 500 * (f[:, 0] - f[:, 1])
        out[block, 2] = 200 * (f[:, 1] - f[:, 2])
    return out.reshape(rgb.shape)


def mean_lab(images: Array) -> Floats:
    """(N, 3) mean CIELAB over the pixels of each image, (N, H, W, 3) uint8."""
    return np.array([lab(image).reshape(-1, 3).mean(axis=0) for image in images]).reshape(-1, 3)


def ciede2000(first: Array, second: Array) -> Floats:
    """CIEDE2000 difference of CIELAB colors, (..., 3) each, broadcast; k_L = k_C = k_H = 1."""
    l1, a1, b1 = np.moveaxis(np.asarray(first, dtype=np.float64), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(second, dtype=np.float64), -1, 0)
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1 + 0.5 * (1 - np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7)))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360

    chromatic = c1 * c2 > 0
    turn = h2 - h1
    turn = np.where(np.abs(turn) <= 180, turn, turn - 360 * np.sign(turn))
    turn = np.where(chromatic, turn, 0.0)
    dl, dc = l2 - l1, c2 - c1
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))

    total = h1 + h2
    mean_hue = np.where(np.abs(h1 - h2) <= 180, total / 2, np.where(total < 360, total / 2 + 180, total / 2 - 180))
    mean_hue = np.where(chromatic, mean_hue, total)
    ml, mc = (l1 + l2) / 2, (c1 + c2) / 2
    t = (
        1
        - 0.17 * np.cos(np.radians(mean_hue - 30))
        + 0.24 * np.cos(np.radians(2 * mean_hue))
        + 0.32 * np.cos(np.radians(3 * mean_hue + 6))
        - 0.20 * np.cos(np.radians(4 * mean_hue - 63))
    )
    sl = 1 + 0.015 * (ml - 50) ** 2 / np.sqrt(20 + (ml - 50) ** 2)
    sc, sh = 1 + 0.045 * mc, 1 + 0.015 * mc * t
    angle = np.radians(60 * np.exp(-(((mean_hue - 275) / 25) ** 2)))
    rotation = -2 * np.sqrt(mc**7 / (mc**7 + 25.0**7)) * np.sin(angle)
    squared = (dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rotation * (dc / sc) * (dh / sh)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def image_hue(pixels: Array) -> tuple[float, float, float]:
    """Hue of CIELAB pixels (..., 3): chroma-weighted circular mean (radians), mean chroma, chroma of the mean color.

    The weighted mean of e^(ih) is the mean of a + ib. Where its length is 0 the hues cancel and the angle is noise.
    """
    a, b = pixels[..., 1].ravel(), pixels[..., 2].ravel()
    mean_a, mean_b = float(a.mean()), float(b.mean())
    return float(np.arctan2(mean_b, mean_a)), float(np.hypot(a, b).mean()), float(np.hypot(mean_a, mean_b))
