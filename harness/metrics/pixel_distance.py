"""How far an item is from its source, pixel by pixel: DSSIM, largest difference, Euclidean distance.

DSSIM = (1 - SSIM) / 2 with the window of `ssim`, 0 for equal images. L∞ = max |x' - x| / 255, the budget of many
cloaks: an 8-bit file may exceed a budget on floats by .5 / 255. L2 = ‖x' - x‖₂ / 255 over all pixels and channels.
Precision: float64, exact to rounding. Source: face_privacy.md section 7; metrics.md section 11.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.image_similarity import BORDER, NEEDS, mean_of_items, paired_images
from harness.metrics.inputs import Floats
from harness.metrics.metric import Array, Direction, Evidence, Measurement, Metric, Need, metric
from harness.metrics.structure import WINDOW, Border, ssim
from harness.stats.units import Estimator


def largest_difference(a: Array, b: Array) -> Floats:
    """(N,) largest absolute difference of uint8 images (N, H, W, 3), as a share of 255."""
    return np.asarray(np.abs(a.astype(np.int64) - b).reshape(len(a), -1).max(axis=1) / 255.0)


def euclidean(a: Array, b: Array) -> Floats:
    """(N,) Euclidean distance of uint8 images (N, H, W, 3) whose values count from 0 to 1."""
    difference = (a.astype(np.float64) - b).reshape(len(a), -1) / 255.0
    return np.asarray(np.sqrt((difference**2).sum(axis=1)))


@metric(
    "dssim",
    unit="DSSIM",
    direction=Direction.LOWER,
    estimator=Estimator.MEAN,
    ideal=0.0,
    source="Wang et al. 2004, doi 10.1109/TIP.2003.819861; Fawkes, arXiv 2002.08327",
)
@dataclass(frozen=True)
class Dssim(Metric):
    """Mean structural dissimilarity of an item to its source."""

    border: Border = BORDER

    def needs(self) -> tuple[Need, ...]:
        return NEEDS

    def measure(self, evidence: Evidence) -> Measurement:
        return mean_of_items(evidence, (1.0 - ssim(*paired_images(evidence, WINDOW), self.border)) / 2.0)


@metric(
    "linf",
    unit="share of white",
    direction=Direction.LOWER,
    estimator=Estimator.MEAN,
    ideal=0.0,
    source="face_privacy.md section 7",
)
@dataclass(frozen=True)
class LargestDifference(Metric):
    """Mean over images of the largest difference of a pixel to the source; the largest of all stands beside it."""

    def needs(self) -> tuple[Need, ...]:
        return NEEDS

    def measure(self, evidence: Evidence) -> Measurement:
        value = largest_difference(*paired_images(evidence))
        return mean_of_items(evidence, value, max=Measurement(float(value.max()), len(value), None))


@metric(
    "l2",
    unit="pixels of white",
    direction=Direction.LOWER,
    estimator=Estimator.MEAN,
    ideal=0.0,
    source="face_privacy.md section 7",
)
@dataclass(frozen=True)
class EuclideanDistance(Metric):
    """Mean Euclidean distance of an item to its source."""

    def needs(self) -> tuple[Need, ...]:
        return NEEDS

    def measure(self, evidence: Evidence) -> Measurement:
        return mean_of_items(evidence, euclidean(*paired_images(evidence)))
