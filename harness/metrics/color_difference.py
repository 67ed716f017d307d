"""Color diversity of a group in CIELAB: mean pair difference, effective number of colors, effective number of names.

`color.de2000`        mean CIEDE2000 over all unordered pairs of the images' mean colors
`color.palette_entropy`  exp of the Shannon entropy of the group's pooled pixels over cubic Lab cells
`color.name_vendi`    exp of the entropy of the shares of eleven basic names (= Vendi of one-hot names)
Each is a value a group, averaged over groups. The first is unbiased in the group size B; the entropies grow with B, so
they refuse groups of unequal size. Source: metrics.md section 7b, own definitions. Precision: float64, 1e-12.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.colorimetry import ciede2000, lab, mean_lab
from harness.metrics.groups import groups_of, mean_over_groups, one_size, per_group
from harness.metrics.inputs import Ints, images
from harness.metrics.metric import Array, Direction, Evidence, Measurement, Metric, Need, metric
from harness.options import option
from harness.stats.units import Estimator

# The eleven basic color names (Berlin and Kay) at the sRGB values of CSS Color Module Level 4.
NAMES: dict[str, tuple[int, int, int]] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "gray": (128, 128, 128),
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "orange": (255, 165, 0),
    "brown": (165, 42, 42),
    "pink": (255, 192, 203),
    "purple": (128, 0, 128),
}
OWN = "metrics.md section 7b"


def mean_pair_difference(colors: Array) -> float:
    """Mean CIEDE2000 over the unordered pairs of CIELAB colors (B, 3), B at least 2."""
    first, second = np.triu_indices(len(colors), 1)
    return float(ciede2000(colors[first], colors[second]).mean())


def effective_number(counts: Array) -> float:
    """exp of the Shannon entropy of the shares of `counts`: 1 for a single class, K for K equal ones."""
    p = np.asarray(counts, dtype=np.float64)
    p = p[p > 0] / p.sum()
    return float(np.exp(-(p * np.log(p)).sum()))


def cells_of(colors: Array, edge: float) -> Ints:
    """(..., 3) integer cell of each CIELAB color, cubes of side `edge` counted from the origin."""
    # White is L = 100 up to rounding; without the nudge its cell would depend on the last bit.
    cells: Ints = np.floor(np.asarray(colors) / edge + 1e-9).astype(np.int64)
    return cells


def names_of(colors: Array) -> Ints:
    """(N,) index into NAMES of the anchor with the smallest CIEDE2000 to each CIELAB color (N, 3)."""
    anchors = lab(np.array([list(NAMES.values())], dtype=np.uint8))[0]
    return np.asarray(ciede2000(np.asarray(colors)[:, None], anchors[None]).argmin(axis=1), dtype=np.int64)


@metric(
    "color.de2000",
    unit="ΔE2000",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    source="Sharma, Wu and Dalal 2005; metrics.md section 7b",
)
@dataclass(frozen=True)
class PairDifference(Metric):
    """Mean CIEDE2000 between the mean colors of the images of a group."""

    def needs(self) -> tuple[Need, ...]:
        return (Need("images"),)

    def measure(self, evidence: Evidence) -> Measurement:
        colors = mean_lab(images(evidence))
        groups = groups_of(evidence.items, at_least=2)
        return mean_over_groups(groups, per_group(groups, lambda m: mean_pair_difference(colors[m])))


@metric(
    "color.palette_entropy",
    unit="effective colors",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    source=OWN,
)
@dataclass(frozen=True)
class PaletteEntropy(Metric):
    """Effective number of Lab cells that the pooled pixels of a group fill."""

    edge: float = option(10.0, unit="Lab units", help="side of a cell", source=OWN, above=0.0)
    size: int | None = option(
        None, unit="images", help="B: images a group must have; null takes the method's one size", at_least=1
    )

    def needs(self) -> tuple[Need, ...]:
        return (Need("images"),)

    def measure(self, evidence: Evidence) -> Measurement:
        pictures = images(evidence)
        groups = groups_of(evidence.items, size=self.size)
        one_size(groups)

        def palette(members: Ints) -> float:
            cells = cells_of(lab(pictures[members]).reshape(-1, 3), self.edge)
            return effective_number(np.unique(cells, axis=0, return_counts=True)[1])

        return mean_over_groups(groups, per_group(groups, palette))


@metric(
    "color.name_vendi",
    unit="effective names",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    source=OWN,
)
@dataclass(frozen=True)
class NameVendi(Metric):
    """Effective number of basic color names among the images of a group, each named by its mean color."""

    size: int | None = option(
        None, unit="images", help="B: images a group must have; null takes the method's one size", at_least=1
    )

    def needs(self) -> tuple[Need, ...]:
        return (Need("images"),)

    def measure(self, evidence: Evidence) -> Measurement:
        name = names_of(mean_lab(images(evidence)))
        groups = groups_of(evidence.items, size=self.size)
        one_size(groups)
        return mean_over_groups(groups, per_group(groups, lambda m: effective_number(np.bincount(name[m]))))
