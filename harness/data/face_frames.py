"""Aligned frames cut from photographs, and protected frames put back: what lies outside a frame keeps every byte.

A frame is a square of fixed side around ArcFace's template with a margin, so that a detector finds the face again in
it. Photographs are shrunk by averaging before they are sampled bilinearly, so a 20-megapixel portrait does not alias.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.face_geometry import Points, inverse, moved

Pixels = NDArray[np.uint8]
How = Literal["difference", "replace"]
ROWS = 256  # of a photograph worked on at a time


def centred(height: int, width: int, side: int) -> Points:
    """(2, 3) transform of the middle square of a picture to a frame: of aligned pictures, the picture itself."""
    edge = min(height, width)
    scale = side / edge
    # edges at -.5: the middle square's corner becomes the frame's
    shift = [-(0.5 + (length - edge) // 2 - 0.5) * scale - 0.5 + 0.5 * scale for length in (width, height)]
    return np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])


def cut(photo: Pixels, matrix: Points, side: int) -> Pixels:
    """Frame (side, side, 3) of a photo (H, W, 3), matrix (2, 3) from photo to frame pixels; black outside the photo."""
    from PIL import Image

    back = inverse(matrix)
    step = math.sqrt(abs(float(np.linalg.det(back[:, :2]))))  # photo pixels a frame pixel
    factor = max(1, math.floor(step + 1e-6))
    image = Image.fromarray(np.ascontiguousarray(photo))
    if factor > 1:
        image = image.reduce(factor)
    # Pillow counts from corners, the transform from centres, and the shrunk photo has pixels of `factor`
    turn = back[:, :2]
    shift = (back[:, 2] + 0.5 - turn @ np.array([0.5, 0.5])) / factor
    turn = turn / factor
    numbers = (turn[0, 0], turn[0, 1], shift[0], turn[1, 0], turn[1, 1], shift[1])
    made = image.transform((side, side), Image.Transform.AFFINE, numbers, resample=Image.Resampling.BILINEAR)
    return np.asarray(made, dtype=np.uint8)


def paste_back(
    photo: Pixels, frame: Pixels, protected: Pixels, matrix: Points, *, feather: float = 0.1, how: How = "difference"
) -> Pixels:
    """The photo (H, W, 3) with its frame protected.

    frame, protected  (side, side, 3): as `cut`, and what a cloak made of it
    matrix   (2, 3) from photo to frame pixels
    feather  share of the side over which the change rises from 0 at the frame's edge (a cubic step)
    how      difference: what the cloak added to the frame is added to the photo, whose own detail stays: an unchanged
             frame gives the same bytes. replace: the frame itself is put there, with its own sharpness
    """
    side = len(frame)
    if frame.shape != (side, side, 3) or protected.shape != frame.shape:
        raise ValueError(f"frames of {frame.shape} and {protected.shape}; expected one square size")
    if not 0.0 < feather <= 0.5:
        raise ValueError(f"feather {feather} must be above 0 and at most 0.5")
    layer = protected.astype(np.float32) - (frame.astype(np.float32) if how == "difference" else 0.0)
    made = photo.copy()
    left, top, right, bottom = _around(matrix, side, photo.shape[1], photo.shape[0])
    for start in range(top, bottom, ROWS):
        end = min(start + ROWS, bottom)
        y, x = np.mgrid[start:end, left:right].astype(np.float64)
        at = moved(np.stack([x.ravel(), y.ravel()], axis=1), matrix)
        weight = _weight(at, side, feather)
        inside = weight > 0.0
        under = photo[start:end, left:right].reshape(-1, 3)[inside].astype(np.float32)
        over = _sampled(layer, at[inside])
        share = weight[inside, None].astype(np.float32)
        mixed = under + share * (over if how == "difference" else over - under)
        part = made[start:end, left:right].reshape(-1, 3)
        part[inside] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
        made[start:end, left:right] = part.reshape(end - start, right - left, 3)
    return made


def _around(matrix: Points, side: int, width: int, height: int) -> tuple[int, int, int, int]:
    """left, top, right, bottom in photo pixels of a box that holds the frame."""
    edges = np.array([[-0.5, -0.5], [side - 0.5, -0.5], [-0.5, side - 0.5], [side - 0.5, side - 0.5]])
    corners = moved(edges, inverse(matrix))
    low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int) + 1
    left, top = max(0, int(low[0])), max(0, int(low[1]))
    return left, top, max(left, min(width, int(high[0]))), max(top, min(height, int(high[1])))


def _weight(at: Points, side: int, feather: float) -> NDArray[np.float64]:
    """(k,) share of the change at frame places (k, 2): 0 at the edge and outside, 1 from `feather` inwards."""
    depth = np.minimum(at + 0.5, side - 0.5 - at).min(axis=1) / (feather * side)
    t = np.clip(depth, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def _sampled(layer: NDArray[np.float32], at: Points) -> NDArray[np.float32]:
    """(k, 3) bilinear samples of (side, side, 3) at places (k, 2), the edge held beyond the last centres."""
    side = len(layer)
    place = np.clip(at, 0.0, side - 1.0)
    low = np.minimum(np.floor(place).astype(np.int64), side - 2)
    right, down = (place - low).astype(np.float32).T[:, :, None]
    x, y = low.T
    upper = layer[y, x] * (1 - right) + layer[y, x + 1] * right
    lower = layer[y + 1, x] * (1 - right) + layer[y + 1, x + 1] * right
    return np.asarray(upper * (1 - down) + lower * down, dtype=np.float32)
