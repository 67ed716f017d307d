"""Units: the numbers an interval and a paired comparison are computed from.

Every metric hands over one of three kinds, all paired by key between a method and its baseline:

* items       one value an item (image, pair mean of a group, utterance); key = the item, cluster = the prompt or
              identity. The score is their mean.
* pseudo      grouped-jackknife pseudo-values; key = the jackknife group, made of whole clusters. The score is the
              plug-in value; the mean of the pseudo-values is its bias-corrected companion.
* replicates  values under keyed resampling of clusters; key = the number of the replicate, the same resampled clusters
              for every method.

Because differences, and means over seeds, of units are units again, one interval function serves cells, aggregates and
deltas (statistics.md sections 2, 4, 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class UnitKind(StrEnum):
    ITEMS = "items"
    PSEUDO = "pseudo"
    REPLICATES = "replicates"


class Estimator(StrEnum):
    """Estimator class of a metric: it, not the caller, picks the interval (statistics.md section 2)."""

    MEAN = "mean of items"
    PROPORTION = "proportion"
    RATIO = "ratio of sums"
    U_STATISTIC = "U-statistic"
    PLUG_IN = "plug-in distance"
    KNN_COUNT = "k-NN count"
    SPECTRUM = "spectrum"
    SHARES = "shares"
    SEEDS = "seeds as units"
    EXACT = "exact"


@dataclass(frozen=True)
class Units:
    """key (U,) str, cluster (U,) str, value (U,) float64: see the module's text."""

    kind: UnitKind
    key: NDArray[np.str_]
    cluster: NDArray[np.str_]
    value: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not len(self.key) == len(self.cluster) == len(self.value):
            raise ValueError(f"units of unequal length: {len(self.key)}, {len(self.cluster)}, {len(self.value)}")
        if len(set(self.key.tolist())) != len(self.key):
            raise ValueError("unit keys repeat: pairing would be ambiguous")


@dataclass(frozen=True)
class Interval:
    """A two-sided 95 % interval and the name of its method, as printed in `ci_method`."""

    low: float
    high: float
    method: str


@dataclass(frozen=True)
class Difference:
    """A paired difference a - b: estimate, interval, two-sided p, pairs used and pairs with a missing partner."""

    delta: float
    interval: Interval
    p_value: float
    pairs: int
    missing: int


class CannotInfer(ValueError):
    """An interval or test that the units do not allow; the message is the reason shown to the user."""


class NoSpread(CannotInfer):
    """All units agree, so nothing can be inferred from their spread; `value` is what they agree on.

    A paired difference with value 0 is that of an inert method: "identical on every unit".
    """

    def __init__(self, reason: str, value: float) -> None:
        self.value = value
        super().__init__(reason)


def over_seeds(seeds: Sequence[str], units: Sequence[Units]) -> Units:
    """Units of the aggregate over seeds.

    items: all items, keys prefixed by the seed, clusters shared. pseudo, replicates: the mean over seeds key by key;
    raises CannotInfer when the keys differ between seeds.
    """
    kind = units[0].kind
    if any(u.kind is not kind for u in units):
        raise CannotInfer("units of different kinds cannot be aggregated")
    if kind is UnitKind.ITEMS:
        key = np.concatenate([np.char.add(f"{s}/", u.key.astype(str)) for s, u in zip(seeds, units, strict=True)])
        return Units(kind, key, np.concatenate([u.cluster for u in units]), np.concatenate([u.value for u in units]))
    first = units[0]
    if any(not np.array_equal(u.key, first.key) for u in units):
        raise CannotInfer("seeds were cut into different groups")
    return Units(kind, first.key, first.cluster, np.mean([u.value for u in units], axis=0))
