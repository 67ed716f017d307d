"""In-shield rate: share of generated items closer than r to a protected item.

Inside iff d < r (1 - tolerance), strict: an item moved to exactly r is outside. r is absolute, or a quantile of
declared distances: of each protected item to its nearest other, or of held-out items to the protected set. `control`
is the same rate for held-out images, on which nothing was trained: what closeness to the shield is worth by itself.
Search is exact, decisions are float64. Source: metrics.md section 10, arXiv 2410.06025. Traps: T64.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from harness.metrics.inputs import Floats, features
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
from harness.metrics.nearest_neighbour import Normalize, compared, in_space
from harness.metrics.neighbors import nearest, nearest_other
from harness.options import OptionError, Problem, option
from harness.stats.units import Estimator, UnitKind, Units


class Of(StrEnum):
    """The distances whose quantile is the radius."""

    PROTECTED = "protected"  # of each protected item to its nearest other protected item
    HELDOUT = "heldout"  # of each held-out item to its nearest protected item


class Control(StrEnum):
    HELDOUT = "heldout"
    NONE = "none"


def inside(distance: Floats, radius: float, tolerance: float) -> Floats:
    """(N,) 1 where distance < radius · (1 - tolerance), strict, else 0."""
    return np.asarray(distance < radius * (1 - tolerance), dtype=np.float64)


@metric(
    "shield.inside.{extractor}",
    unit="share of images",
    direction=Direction.LOWER,
    estimator=Estimator.PROPORTION,
    ideal=0.0,
    source="metrics.md section 10; arXiv 2410.06025",
)
@dataclass(frozen=True)
class ShieldRate(Metric):
    """Share of generated items whose nearest protected item is closer than the radius."""

    extractor: str = option(help="feature extractor, the space of the distance")
    radius: float | None = option(None, unit="distance", help="absolute radius; or state `quantile`", at_least=0.0)
    quantile: float | None = option(
        None, help="the radius as a quantile of the distances named by `of`", at_least=0.0, at_most=1.0
    )
    of: Of = option(Of.PROTECTED, help="protected: to the nearest other protected item; heldout: to the shield")
    tolerance: float = option(
        1e-6, unit="radius", help="share of the radius that counts as outside", source="T64", at_least=0.0, below=1.0
    )
    normalize: Normalize = option(Normalize.NONE, help="none, or unit: rows of length 1 on both sides")
    control: Control = option(Control.HELDOUT, help="the set of the control rate, or none", in_id=False)

    def __post_init__(self) -> None:
        if (self.radius is None) == (self.quantile is None):
            found = "neither" if self.radius is None else "both"
            raise OptionError([Problem((), f"state one of 'radius' and 'quantile', found {found}")])

    def needs(self) -> tuple[Need, ...]:
        roles = ["generated", "protected"]
        if self.control is Control.HELDOUT or self._from_heldout:
            roles.append("heldout")
        return tuple(Need("features", role, self.extractor) for role in roles)

    @property
    def _from_heldout(self) -> bool:
        return self.quantile is not None and self.of is Of.HELDOUT

    def measure(self, evidence: Evidence) -> Measurement:
        points, protected = compared(evidence, self.extractor, "protected", self.normalize, 1)
        held = self._heldout(evidence, protected)
        radius = self._radius(protected, held)
        value = inside(nearest(points, protected).distance, radius, self.tolerance)
        items = evidence.items
        companions = {"radius": Measurement(radius, len(protected), None)}
        if held is not None and self.control is Control.HELDOUT:
            rate = inside(held, radius, self.tolerance)
            key = np.array([f"heldout/{i:05d}" for i in range(len(rate))])
            companions["control"] = Measurement(
                float(rate.mean()), len(rate), Units(UnitKind.ITEMS, key, key, rate), None
            )
        units = Units(UnitKind.ITEMS, items.keys, items.clusters, value)
        return Measurement(float(value.mean()), len(value), units, (items.keys, items.clusters, value), companions)

    def _heldout(self, evidence: Evidence, protected: Array) -> Floats | None:
        """Distances of the held-out items to the shield, where a held-out set was brought."""
        if ("heldout", self.extractor) not in evidence.features and not self._from_heldout:
            return None
        rows = features(evidence, self.extractor, "heldout")
        if rows.shape[1] != protected.shape[1]:
            raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, "held-out and protected items are not in one space")
        return nearest(in_space(rows, self.normalize), protected).distance

    def _radius(self, protected: Array, held: Floats | None) -> float:
        if self.quantile is None:
            assert self.radius is not None
            return self.radius
        if self.of is Of.HELDOUT:
            assert held is not None
            return float(np.quantile(held, self.quantile))
        if len(protected) < 2:
            raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "one protected item has no nearest other one")
        return float(np.quantile(nearest_other(protected).distance, self.quantile))
