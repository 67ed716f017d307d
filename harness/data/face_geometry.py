"""Where a face is, and the similarity that brings it to a template: five points, in closed form.

Points in order: the eye on the picture's left, the other eye, tip of the nose, corner of the mouth on the left, on the
right; pixels, x to the right and y down, the centre of the first pixel at (0, 0). The template is ArcFace's for a crop
of 112 px (arXiv 1801.07698; the numbers stand in every port of it).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
ARCFACE_PX = 112
ARCFACE: Points = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
ARCFACE.setflags(write=False)


@dataclass(frozen=True)
class Face:
    """One face found in a picture: box (left, top, right, bottom) in px, points (5, 2), the detector's score."""

    box: tuple[float, float, float, float]
    points: Points
    score: float

    @property
    def area(self) -> float:
        """Of the box, px²."""
        left, top, right, bottom = self.box
        return max(0.0, right - left) * max(0.0, bottom - top)


Detector = Callable[[NDArray[np.uint8]], Sequence[Face]]  # pictures (H, W, 3) uint8 RGB


def largest(faces: Sequence[Face]) -> Face | None:
    """The face with the largest box, of equals the one further up, then further left; None where there is none."""
    return min(faces, key=lambda f: (-f.area, f.box[1], f.box[0]), default=None)


def similarity(source: Points, target: Points) -> Points:
    """(2, 3) matrix of the similarity (turn, scale, shift, no mirroring) nearest to source (k, 2) → target (k, 2).

    With z and w the points as complex numbers and their means taken off, w = a z in least squares is
    a = Σ conj(z) w / Σ |z|². Raises ValueError where all source points are one.
    """
    z, w = source[:, 0] + 1j * source[:, 1], target[:, 0] + 1j * target[:, 1]
    centred = z - z.mean()
    spread = float((centred.conj() * centred).real.sum())
    if spread < 1e-12:
        raise ValueError("all points are in one place: no similarity is defined")
    a = complex((centred.conj() * (w - w.mean())).sum() / spread)
    b = complex(w.mean() - a * z.mean())
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def inverse(matrix: Points) -> Points:
    """(2, 3) matrix of the way back. Raises ValueError for a matrix that has none."""
    turn = matrix[:, :2]
    if abs(float(np.linalg.det(turn))) < 1e-12:
        raise ValueError("the transform has no way back")
    back = np.linalg.inv(turn)
    return np.concatenate([back, -back @ matrix[:, 2:]], axis=1)


def moved(points: Points, matrix: Points) -> Points:
    """Points (k, 2) after the (2, 3) transform."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def template(side: int, margin: float = 0.0) -> Points:
    """ArcFace's points on a square of `side` px, scaled as insightface does, `margin` of the crop's size around it.

    margin .25 on 168 px: the crop of 112 px stands in the middle.
    """
    inner = side / (1.0 + 2.0 * margin)
    return ARCFACE * (inner / ARCFACE_PX) + (side - inner) / 2.0
