"""Signed distances of the shapes that portraits are made of: negative inside, in image units (the image spans [-1, 1]).

Every function takes coordinates (n, h, w) float32 and parameters that broadcast with them, usually (n, 1, 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.floating[Any]]
Value = Field | float


def ellipse(x: Field, y: Field, cx: Value, cy: Value, rx: Value, ry: Value) -> Field:
    """Distance to an ellipse with axes along x and y (first-order: exact on the border, right in sign everywhere)."""
    px, py = (x - cx) / rx, (y - cy) / ry
    k0 = np.sqrt(px * px + py * py) + np.float32(1e-6)
    qx, qy = px / rx, py / ry
    k1 = np.sqrt(qx * qx + qy * qy) + np.float32(1e-6)
    return np.asarray(k0 * (k0 - 1.0) / k1)


def circle(x: Field, y: Field, cx: Value, cy: Value, r: Value) -> Field:
    """Distance to a disc."""
    return np.asarray(np.sqrt((x - cx) ** 2 + (y - cy) ** 2) - r)


def box(x: Field, y: Field, cx: Value, cy: Value, hx: Value, hy: Value, radius: Value = 0.0) -> Field:
    """Distance to a box with half sizes hx, hy and rounded corners."""
    qx, qy = np.abs(x - cx) - hx + radius, np.abs(y - cy) - hy + radius
    outside = np.sqrt(np.maximum(qx, 0) ** 2 + np.maximum(qy, 0) ** 2)
    return np.asarray(outside + np.minimum(np.maximum(qx, qy), 0) - radius)


def capsule(x: Field, y: Field, ax: Value, ay: Value, bx: Value, by: Value, r: Value) -> Field:
    """Distance to the segment a-b thickened by r."""
    dx, dy = bx - ax, by - ay
    t = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy + np.float32(1e-9)), 0, 1)
    return np.asarray(np.sqrt((x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2) - r)


def arc(x: Field, y: Field, cx: Value, cy: Value, width: Value, sag: Value, r: Value) -> Field:
    """Distance to a parabolic stroke from (cx-width, cy) to (cx+width, cy) whose middle sags by `sag` (down if > 0)."""
    u = np.clip((x - cx) / width, -1, 1)
    py = cy + sag * (1 - u * u)
    return np.asarray(np.sqrt((x - cx - u * width) ** 2 + ((y - py) * 0.9) ** 2) - r)


def intersection(*distances: Field) -> Field:
    """Distance to what lies in all shapes (a lower bound)."""
    return np.asarray(np.maximum.reduce(distances))


def union(*distances: Field) -> Field:
    """Distance to what lies in any shape."""
    return np.asarray(np.minimum.reduce(distances))
