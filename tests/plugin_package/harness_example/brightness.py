"""Brightness: mean luminance of each image, a quantity that guidance is known to move.

Y = 0.2126 R + 0.7152 G + 0.0722 B over the uint8 values, divided by 255 (ITU-R BT.709 weights, no decoding).
Precision: float64, exact to rounding. Black is 0, white is 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.inputs import images
from harness.metrics.metric import Array, Direction, Evidence, Measurement, Metric, Need, metric
from harness.stats.units import Estimator, UnitKind, Units

BT709 = np.array([0.2126, 0.7152, 0.0722])


def luminance(pixels: Array) -> Array:
    """Mean luminance of each image. pixels (N, H, W, 3) uint8 → (N,) float64 in [0, 1]."""
    return np.asarray(pixels.astype(np.float64).mean(axis=(1, 2)) @ BT709 / 255.0)


@metric("brightness", unit="share of white", direction=Direction.NONE, estimator=Estimator.MEAN)
@dataclass(frozen=True)
class Brightness(Metric):
    """Mean luminance of the generated images."""

    def needs(self) -> tuple[Need, ...]:
        return (Need("images"),)

    def measure(self, evidence: Evidence) -> Measurement:
        values = luminance(images(evidence))
        items = evidence.items
        units = Units(UnitKind.ITEMS, items.keys, items.clusters, values)
        return Measurement(float(values.mean()), len(values), units, items=(items.keys, items.clusters, values))
