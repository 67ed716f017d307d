"""Hue diversity: mean over the pairs of a group of 1 - cos(h_i - h_j), h the chroma-weighted mean hue of an image.

Unbiased in the group size: expectation 1 for uniform hues, 0 for equal ones, 1.5 for hues 0, 120 and 240 [T68]. (The
circular variance 1 - |mean e^(ih)| is biased, .598 for five uniform hues, and is not shipped.) Images whose mean chroma
is below the threshold, or whose hues cancel, have no hue: they are counted in `n_achromatic`. A group with fewer than
two hues has no value, and then neither has the mean. Source: metrics.md section 7c, own definition. Precision: 1e-12.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.colorimetry import image_hue, lab
from harness.metrics.groups import groups_of, mean_over_groups, per_group
from harness.metrics.inputs import images
from harness.metrics.metric import (
    Array,
    CannotMeasure,
    Direction,
    Evidence,
    Measurement,
    Metric,
    Need,
    ScoreStatus,
    metric,
)
from harness.options import option
from harness.stats.units import Estimator

_CANCELS = 1e-6  # Lab units: chroma of the mean color at which hues cancel and the angle is rounding error


def mean_pair_hue(hues: Array) -> float:
    """Mean over unordered pairs of 1 - cos of the hue difference; hues (B,) radians, B at least 2."""
    first, second = np.triu_indices(len(hues), 1)
    return float((1 - np.cos(hues[first] - hues[second])).mean())


@metric(
    "color.hue",
    unit="1 - cos",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    source="metrics.md section 7c",
)
@dataclass(frozen=True)
class HueDiversity(Metric):
    """Mean over groups of the mean over pairs of 1 - cos of the hue difference."""

    chroma: float = option(
        5.0, unit="Lab chroma", help="mean chroma below which an image has no hue", source="metrics.md 7c", at_least=0.0
    )

    def needs(self) -> tuple[Need, ...]:
        return (Need("images"),)

    def measure(self, evidence: Evidence) -> Measurement:
        hue, chroma, length = np.array([image_hue(lab(image)) for image in images(evidence)]).T
        chromatic = (chroma >= self.chroma) & (length > _CANCELS)
        groups = groups_of(evidence.items, at_least=2)
        hues = [hue[m[chromatic[m]]] for m in groups.members]
        empty = sum(len(h) < 2 for h in hues)
        if empty:
            raise CannotMeasure(
                ScoreStatus.UNDEFINED,
                f"{empty} of {len(hues)} groups have fewer than two images with a hue"
                f" ({int((~chromatic).sum())} of {len(hue)} images are achromatic)",
            )
        values = np.array([mean_pair_hue(h) for h in hues])
        achromatic = per_group(groups, lambda m: float((~chromatic[m]).sum()))
        count = Measurement(float(achromatic.sum()), len(hue), None)
        return mean_over_groups(groups, values, {"n_achromatic": count})
