"""SSIM, PSNR and MS-SSIM of an item to its source, and MS-SSIM between the samples of a prompt.

Images are uint8 with L = 255; floats, whose range would have to be guessed, are refused. SSIM (Wang et al. 2004):
Gaussian window 11 x 11, σ = 1.5, K₁ = .01, K₂ = .03, population covariance, whole windows only, mean over channels;
scikit-image's defaults (uniform 7 x 7, sample covariance) are another metric. PSNR = 10 log₁₀(255² / MSE) an image,
then the mean: identical images have no finite PSNR, leave the mean and are counted in `.identical`. MS-SSIM (Wang et
al. 2003): weights .0448 .2856 .3001 .2363 .1333, negative contrasts taken as 0; fewer `scales` for small images use the
first weights, scaled to sum 1. `ms_ssim.pairs` is a diversity: lower means more different samples.
`border: reflect` is torchmetrics' own function; the default counts whole windows only, as the papers and scikit-image.
Precision: float64, 1e-7 against scikit-image.
Traps: metrics.md section 11, T62.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.metrics.groups import Grouping, groups_of, mean_over_groups, per_group
from harness.metrics.inputs import Floats, images
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
from harness.metrics.structure import WINDOW, Border, Local, ms_ssim, multi_scale, psnr, pyramid, ssim
from harness.options import option
from harness.stats.units import Estimator, UnitKind, Units

SCALES: Any = option(5, unit="scales", at_least=1, at_most=5, help="halvings, plus one", source="Wang et al. 2003")
BORDER: Any = option(
    Border.VALID, help="valid: whole windows only, as the papers; reflect: mirrored borders, by torchmetrics"
)
NEEDS = (Need("images"), Need("images", "source"))


def smallest_side(scales: int) -> int:
    """Pixels a side below which a scale has no whole window (and below which torchmetrics refuses)."""
    return max(WINDOW << (scales - 1), WINDOW * (scales - 1) ** 2)


def paired_images(evidence: Evidence, side: int = 1) -> tuple[Array, Array]:
    """Generated images and their sources. Raises CannotMeasure: of another shape, or smaller than `side`."""
    own, source = images(evidence), images(evidence, "source")
    if own.shape != source.shape:
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH, f"images {own.shape[1:]} and sources {source.shape[1:]} differ in size"
        )
    _large_enough(own, side)
    return own, source


def _of(levels: tuple[Local, ...], rows: Iterable[int]) -> tuple[Local, ...]:
    return tuple(level.at(np.array(list(rows))) for level in levels)


def _large_enough(pixels: Array, side: int) -> None:
    height, width = pixels.shape[1:3]
    if min(height, width) < side:
        raise CannotMeasure(
            ScoreStatus.UNDEFINED,
            f"images of {width}x{height} px; sides of at least {side} are needed (MS-SSIM: with fewer `scales`)",
        )


def mean_of_items(evidence: Evidence, value: Floats, kept: Array | None = None, **more: Measurement) -> Measurement:
    """Mean of items with median and 5th percentile beside it: what a cloak does to its worst images."""
    chosen = np.ones(len(value), dtype=bool) if kept is None else kept
    key, cluster, rest = evidence.items.keys[chosen], evidence.items.clusters[chosen], value[chosen]
    beside = {
        "median": Measurement(float(np.median(rest)), len(rest), None),
        "p05": Measurement(float(np.quantile(rest, 0.05)), len(rest), None),
    }
    units = Units(UnitKind.ITEMS, key, cluster, rest)
    return Measurement(float(rest.mean()), len(rest), units, (key, cluster, rest), {**beside, **more})


@metric(
    "ssim",
    unit="SSIM",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    ideal=1.0,
    source="Wang et al. 2004, doi 10.1109/TIP.2003.819861",
)
@dataclass(frozen=True)
class Ssim(Metric):
    """Mean structural similarity of an item to its source."""

    border: Border = BORDER

    def needs(self) -> tuple[Need, ...]:
        return NEEDS

    def measure(self, evidence: Evidence) -> Measurement:
        return mean_of_items(evidence, ssim(*paired_images(evidence, WINDOW), self.border))


@metric(
    "psnr",
    unit="dB",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    source="metrics.md section 11",
)
@dataclass(frozen=True)
class Psnr(Metric):
    """Mean peak signal-to-noise ratio of an item to its source; identical images are counted, not averaged."""

    def needs(self) -> tuple[Need, ...]:
        return NEEDS

    def measure(self, evidence: Evidence) -> Measurement:
        value = psnr(*paired_images(evidence))
        finite = np.isfinite(value)
        if not finite.any():
            raise CannotMeasure(
                ScoreStatus.UNDEFINED, f"all {len(value)} images are identical to their sources: PSNR is infinite"
            )
        identical = Measurement(float((~finite).sum()), len(value), None)
        return mean_of_items(evidence, value, finite, identical=identical)


@metric(
    "ms_ssim",
    unit="MS-SSIM",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    ideal=1.0,
    source="Wang et al. 2003, doi 10.1109/ACSSC.2003.1292216",
)
@dataclass(frozen=True)
class MsSsim(Metric):
    """Mean multi-scale structural similarity of an item to its source."""

    scales: int = SCALES
    border: Border = BORDER

    def needs(self) -> tuple[Need, ...]:
        return NEEDS

    def measure(self, evidence: Evidence) -> Measurement:
        own, source = paired_images(evidence, smallest_side(self.scales))
        return mean_of_items(evidence, ms_ssim(own, source, self.scales, self.border))


@metric(
    "ms_ssim.pairs",
    unit="MS-SSIM",
    direction=Direction.LOWER,
    estimator=Estimator.U_STATISTIC,
    source="Odena et al. 2017, arXiv 1610.09585",
)
@dataclass(frozen=True)
class MsSsimPairs(Metric):
    """Mean multi-scale structural similarity over all pairs of a prompt: low where its samples differ."""

    scales: int = SCALES
    border: Border = BORDER
    grouping: Grouping = option(Grouping.PROMPT, help="pairs within a prompt, or within the method's coupled group")

    def needs(self) -> tuple[Need, ...]:
        return (Need("images"),)

    def measure(self, evidence: Evidence) -> Measurement:
        pixels = images(evidence)
        _large_enough(pixels, smallest_side(self.scales))
        groups = groups_of(evidence.items, self.grouping, at_least=2)

        def mean(members: Array) -> float:
            if self.border is Border.REFLECT:
                i, j = np.triu_indices(len(members), 1)
                return float(ms_ssim(pixels[members[i]], pixels[members[j]], self.scales, self.border).mean())
            levels, last = pyramid(pixels[members], self.scales), len(members)
            rows = [multi_scale(_of(levels, [i]), _of(levels, range(i + 1, last))) for i in range(last - 1)]
            return float(np.concatenate(rows).mean())

        return mean_over_groups(groups, per_group(groups, mean))
