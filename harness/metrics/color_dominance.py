"""Color dominance: how many of red, green and blue dominate somewhere in a group of images made together.

Color c dominates an image iff S_c > K · max of the other two channel sums, strict; at most one does, gray images have
none. Source: Diverse Diffusion, arXiv 2310.12583, and the authors' notebook, with its normalisation corrected: hits are
divided by the number of groups once, within a prompt, then averaged over prompts (metrics.md section 7a, T67).
Precision: exact integers; K is taken as the decimal that was written, so an exact tie never dominates.

Companions, where every prompt has at least two groups: `expected`, the value if the same images had been grouped at
random, and `excess`, observed minus expected: what coupling did beyond a shift of the color shares. The closed form for
independent draws is `expectation(…, independent(p, B))`; the companion draws without replacement from the prompt's own
images, because the plug-in of few own shares is biased.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb

import numpy as np

from harness.metrics.groups import Groups, balanced, groups_of, mean_over_groups, one_size
from harness.metrics.inputs import Floats, Ints, images
from harness.metrics.metric import Array, Direction, Evidence, Measurement, Metric, Need, metric
from harness.options import option
from harness.stats.units import Estimator, UnitKind, Units

COLORS = ("red", "green", "blue", "none")
NONE = 3  # index of the images that no color dominates
SOURCE = "arXiv 2310.12583"


def dominant(pictures: Array, factor: float) -> Ints:
    """(N,) index into COLORS of the dominating color of each image, (N, H, W, 3) uint8."""
    sums = pictures.reshape(len(pictures), -1, 3).sum(axis=1, dtype=np.int64)
    ratio = Fraction(repr(factor)).limit_denominator(10**6)
    low, top = np.sort(sums, axis=1)[:, 1:].T
    wins = top * ratio.denominator > low * ratio.numerator
    return np.where(wins, sums.argmax(axis=1), NONE).astype(np.int64)


def colors_in(groups: Groups, color: Ints) -> Ints:
    """(G,) number of colors (0 … 3) that dominate somewhere in each group."""
    return np.array([len(set(color[m].tolist()) - {NONE}) for m in groups.members], dtype=np.int64)


def pooled_share(hits: Array, prompt: Array) -> float:
    """Hits over groups within each prompt, then the unweighted mean over prompts. hits, prompt (G,)."""
    of_prompt = np.unique(prompt, return_inverse=True)[1]
    return float((np.bincount(of_prompt, weights=hits) / np.bincount(of_prompt)).mean())


@dataclass(frozen=True)
class Absence:
    """Probabilities that a group lacks colors.

    without (3,) no image of color c;  only (3,) every image of color c or none;  none: every image none
    """

    without: Floats
    only: Floats
    none: float


def independent(shares: Array, size: int) -> Absence:
    """For `size` independent images with `shares` (4,) of red, green, blue and none."""
    p = np.asarray(shares, dtype=np.float64)
    return Absence((1 - p[:3]) ** size, (p[:3] + p[NONE]) ** size, float(p[NONE] ** size))


def regrouped(counts: Array, size: int) -> Absence:
    """For `size` images drawn without replacement from `counts` (4,) images of each color."""
    c = [int(v) for v in counts]
    ways = comb(sum(c), size)
    without = np.array([comb(sum(c) - v, size) / ways for v in c[:3]])
    only = np.array([comb(v + c[NONE], size) / ways for v in c[:3]])
    return Absence(without, only, comb(c[NONE], size) / ways)


def expect_all(absence: Absence) -> float:
    """Probability that all three colors dominate somewhere."""
    return float(1 - absence.without.sum() + absence.only.sum() - absence.none)


def expect_two(absence: Absence) -> float:
    """Probability that at least two colors do."""
    return float(1 - absence.none - (absence.only - absence.none).sum())


def expect_mean(absence: Absence) -> float:
    """Expected number of dominating colors."""
    return float((1 - absence.without).sum())


@dataclass(frozen=True)
class Dominance(Metric):
    """Base of the three group statistics; subclasses say what is counted and what is expected of it."""

    factor: float = option(1.0, help="K: how far a channel sum must exceed both others", source=SOURCE, at_least=1.0)
    size: int | None = option(
        None, unit="images", help="B: images a group must have; null takes the method's one size", at_least=1
    )

    def counted(self, colors: Ints) -> Floats:
        """(G,) value of groups in which `colors` (G,) of the three colors dominate somewhere."""
        raise NotImplementedError

    def expected(self, absence: Absence) -> float:
        """Its expectation, given how likely colors are to be absent."""
        raise NotImplementedError

    def needs(self) -> tuple[Need, ...]:
        return (Need("images"),)

    def measure(self, evidence: Evidence) -> Measurement:
        color = dominant(images(evidence), self.factor)
        groups = groups_of(evidence.items, size=self.size)
        size = one_size(groups)
        value = self.counted(colors_in(groups, color))
        return mean_over_groups(groups, value, self._coupling(groups, color, value, size))

    def _coupling(self, groups: Groups, color: Ints, value: Floats, size: int) -> dict[str, Measurement]:
        prompt = groups.prompts
        if np.bincount(prompt).min() < 2:
            return {}
        own = np.array([color[m] for m in groups.members])
        counts = [np.bincount(own[prompt == p].ravel(), minlength=4) for p in range(prompt.max() + 1)]
        expected = np.array([self.expected(regrouped(c, size)) for c in counts])[prompt]
        return {"expected": mean_over_groups(groups, expected), "excess": mean_over_groups(groups, value - expected)}


@metric(
    "color.dominance.all",
    unit="share of groups",
    direction=Direction.HIGHER,
    estimator=Estimator.PROPORTION,
    ideal=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class AllColors(Dominance):
    """Share of groups in which all three colors dominate somewhere."""

    def counted(self, colors: Ints) -> Floats:
        return np.asarray(colors == 3, dtype=np.float64)

    def expected(self, absence: Absence) -> float:
        return expect_all(absence)


@metric(
    "color.dominance.two",
    unit="share of groups",
    direction=Direction.HIGHER,
    estimator=Estimator.PROPORTION,
    ideal=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class TwoColors(Dominance):
    """Share of groups in which at least two colors do."""

    def counted(self, colors: Ints) -> Floats:
        return np.asarray(colors >= 2, dtype=np.float64)

    def expected(self, absence: Absence) -> float:
        return expect_two(absence)


@metric(
    "color.dominance.mean",
    unit="colors a group",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    ideal=3.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class MeanColors(Dominance):
    """Mean number of dominating colors a group."""

    def counted(self, colors: Ints) -> Floats:
        return colors.astype(np.float64)

    def expected(self, absence: Absence) -> float:
        return expect_mean(absence)


@metric(
    "color.dominance.share.{color}",
    unit="share of images",
    direction=Direction.NONE,
    estimator=Estimator.PROPORTION,
    source=SOURCE,
)
@dataclass(frozen=True)
class ColorShare(Metric):
    """Share of images that one color, or none, dominates; says nothing of groups."""

    color: str = option(help="red, green, blue or none")
    factor: float = option(1.0, help="K: how far a channel sum must exceed both others", source=SOURCE, at_least=1.0)

    def needs(self) -> tuple[Need, ...]:
        return (Need("images"),)

    def measure(self, evidence: Evidence) -> Measurement:
        value = (dominant(images(evidence), self.factor) == COLORS.index(self.color)).astype(np.float64)
        key, cluster = evidence.items.keys, evidence.items.clusters
        balanced(cluster, "images")
        units = Units(UnitKind.ITEMS, key, cluster, value)
        return Measurement(float(value.mean()), len(value), units, (key, cluster, value))
