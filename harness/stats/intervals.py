"""The interval of a score: the estimator's class and the kind of its units choose the method, never the caller.

items       t on cluster means; proportions: Wilson at the effective n; ratios: delta method, as t on linearised items;
            seeds: t over seeds
pseudo      t with G - 1 degrees, SE = sd / sqrt(G) of the pseudo-values, centred on the value
replicates  percentiles; refused where resampling would duplicate items (plug-in distances, k-NN counts, spectra)

Source: statistics.md sections 2 to 4. Traps: T14, T53, T54, T58, T60.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from harness.stats.clusters import MINIMUM, cluster_deviations
from harness.stats.proportions import effective_n, wilson
from harness.stats.student import t_quantile
from harness.stats.units import CannotInfer, Estimator, Interval, NoSpread, UnitKind, Units

FEW_UNITS = 30
"""Below this many clusters the delta-method interval is known to be short (coverage .89 at 20 utterances)."""

REPLICATES = 100
"""Fewest replicates from which a 2.5 % tail is read."""

DUPLICATES = "resampling duplicates items; this metric counts or measures duplicates. Use jackknife (default)."
_REFUSES_RESAMPLING = frozenset({Estimator.PLUG_IN, Estimator.KNN_COUNT, Estimator.SPECTRUM})


def interval(estimator: Estimator, units: Units, *, value: float | None = None, level: float = 0.95) -> Interval:
    """The two-sided interval of the score behind `units`.

    value  the score itself, on which pseudo-value intervals are centred; None centres on their mean, the bias-corrected
           value
    Raises CannotInfer when the units are too few or refused, NoSpread when all agree.
    """
    if estimator is Estimator.EXACT:
        raise CannotInfer("an exact quantity has no sampling error")
    check_units(estimator, units)
    if units.kind is UnitKind.REPLICATES:
        return percentiles(units.value, level)
    if units.kind is UnitKind.PSEUDO:
        centre = float(units.value.mean()) if value is None else value
        return _around(centre, standard_error(units), len(units.value) - 1, f"jackknife(G={len(units.value)})", level)
    mean, deviations = cluster_deviations(units.value, units.cluster)
    count = len(deviations)
    if estimator is Estimator.PROPORTION and is_binary(units.value):
        effective = effective_n(units.value, units.cluster)
        low, high = wilson(mean, effective, level)
        text = f"n={effective:.0f}" if count == len(units.value) else f"n_eff={effective:.1f}"
        return Interval(low, high, f"wilson({text})")
    return _around(mean, standard_error(units), count - 1, items_method(estimator, count), level)


def standard_error(units: Units) -> float:
    """Standard error of the mean of items (over clusters) or of pseudo-values (over groups), n - 1 in the denominator.

    Raises NoSpread when all clusters or groups agree.
    """
    mean, deviations = cluster_deviations(units.value, units.cluster)
    if float(np.abs(deviations).max()) <= 1e-12 * float(np.abs(units.value).max()):
        if mean == 0.0:
            raise NoSpread("every unit is 0: there is no spread to infer from", 0.0)
        raise NoSpread(f"every unit is {mean:.6g}: there is no spread to infer from", mean)
    count = len(deviations)
    return math.sqrt(float(deviations @ deviations) / (count * (count - 1)))


def percentiles(value: NDArray[np.float64], level: float = 0.95) -> Interval:
    """The central share `level` of replicates. Raises CannotInfer below 100, NoSpread when all agree."""
    if len(value) < REPLICATES:
        raise CannotInfer(f"{REPLICATES} replicates are needed for percentiles; found {len(value)}")
    if value.max() == value.min():
        raise NoSpread(f"every replicate is {value[0]:.6g}: there is no spread to infer from", float(value[0]))
    low, high = np.quantile(value, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), f"percentile(R={len(value)})")


def check_units(estimator: Estimator, units: Units) -> None:
    """Raises CannotInfer for units that are not finite, too few, or of a kind that the estimator refuses."""
    if not np.isfinite(units.value).all():
        raise CannotInfer("a unit is not a finite number")
    if units.kind is UnitKind.REPLICATES:
        if estimator in _REFUSES_RESAMPLING:
            raise CannotInfer(DUPLICATES)
        return
    count = len(np.unique(units.cluster))
    if estimator is Estimator.SEEDS:
        if count < 2:
            raise CannotInfer("one edited model: the interval would describe this model, not the method")
    elif count < MINIMUM:
        what = "jackknife groups" if units.kind is UnitKind.PSEUDO else "clusters"
        raise CannotInfer(f"at least {MINIMUM} {what} are needed for an interval; found {count}")


def is_binary(value: NDArray[np.float64]) -> bool:
    """Whether every item is 0 or 1."""
    return bool(((value == 0.0) | (value == 1.0)).all())


def items_method(estimator: Estimator, clusters: int) -> str:
    """How the method of an interval over items is printed."""
    if estimator is Estimator.SEEDS:
        return f"t(seeds={clusters})"
    if estimator is Estimator.RATIO:
        return f"delta(clusters={clusters}{',few-units' if clusters < FEW_UNITS else ''})"
    return f"t(clusters={clusters})"


def ratio_items(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Items (N,) whose mean is the ratio of sums and whose t interval is its delta-method interval.

    ratio + (numerator - ratio · denominator) / mean denominator. Raises CannotInfer when the denominators sum to 0.
    """
    total = float(denominator.sum())
    if total == 0.0:
        raise CannotInfer("the denominators sum to 0: the ratio is undefined")
    ratio = float(numerator.sum()) / total
    return np.asarray(ratio + (numerator - ratio * denominator) / (total / len(denominator)), dtype=np.float64)


def _around(centre: float, error: float, df: int, method: str, level: float) -> Interval:
    half = t_quantile(0.5 + level / 2, df) * error
    return Interval(centre - half, centre + half, method)
