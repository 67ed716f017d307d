"""The paired difference of two cells: same prompts, same samples, same noise, so only what the methods changed is left.

Power on the fixture of T55 (n = 200, shift .06, noise .3, shared part sd 1): .51 paired, .00 unpaired. There is no
unpaired entry point. Source: statistics.md sections 2, 5, 12.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.stats.intervals import check_units, is_binary, items_method, percentiles, standard_error
from harness.stats.proportions import mcnemar
from harness.stats.student import t_quantile, t_two_sided
from harness.stats.units import CannotInfer, Difference, Estimator, Interval, NoSpread, UnitKind, Units

MISSING = 0.05
"""Largest share of pairs with a missing partner (statistics.md section 5)."""

IDENTICAL = "identical on every unit"


def paired_difference(
    estimator: Estimator, a: Units, b: Units, *, value: float | None = None, level: float = 0.95
) -> Difference:
    """The difference a - b with interval and two-sided p.

    value  difference of the two scores, on which the interval of pseudo-values and the delta of replicates are centred;
           None takes the mean difference of the units (for pseudo-values the bias-corrected difference)
    Raises NoSpread("identical on every unit", 0) when a and b agree everywhere (a method that did nothing), NoSpread
    with the common difference when all differ alike, CannotInfer when units are too few, cut differently, or more than
    5 % of the pairs lack a partner.
    """
    difference, first, second, missing = _pair(a, b)
    count = len(difference.value)
    if not difference.value.any():
        raise NoSpread(IDENTICAL, 0.0)
    check_units(estimator, difference)
    mean = float(difference.value.mean())
    if difference.kind is UnitKind.REPLICATES:
        delta = mean if value is None else value
        return Difference(delta, percentiles(difference.value, level), replicate_p(difference.value), count, missing)
    try:
        error = standard_error(difference)
    except NoSpread as same:
        raise NoSpread(f"every unit differs by exactly {same.value:.6g}: no spread to infer from", same.value) from None
    clusters = len(np.unique(difference.cluster))
    if difference.kind is UnitKind.PSEUDO:
        delta, method = mean if value is None else value, f"paired jackknife(G={count})"
    else:
        delta, method = mean, f"paired {items_method(estimator, clusters)}"
    half = t_quantile(0.5 + level / 2, clusters - 1) * error
    p = t_two_sided(delta / error, clusters - 1)
    if estimator is Estimator.PROPORTION and clusters == count and is_binary(first) and is_binary(second):
        p = mcnemar(int((first > second).sum()), int((first < second).sum())).p_value
        method += ",p=McNemar exact"
    return Difference(delta, Interval(delta - half, delta + half, method), p, count, missing)


def by_cluster(units: Units) -> Units:
    """Items as one unit a cluster, its mean: what may be paired when cells share their prompts but not their noise.

    Keys become the clusters, so cells with other samples, or with other numbers of seeds, still meet prompt by prompt.
    Pseudo-values and replicates are made of whole prompts already and stay as they are.
    """
    if units.kind is not UnitKind.ITEMS:
        return units
    clusters, index = np.unique(units.cluster.astype(str), return_inverse=True)
    means = np.bincount(index, weights=units.value) / np.bincount(index)
    return Units(units.kind, clusters, clusters, means)


def better_share(a: Units, b: Units, *, higher_is_better: bool) -> float:
    """Share of paired items on which a is better than b, ties halved: the effect size that travels with p."""
    sign = np.sign(_pair(a, b)[0].value) * (1 if higher_is_better else -1)
    return float(((sign + 1) / 2).mean())


def replicate_p(difference: NDArray[np.float64]) -> float:
    """Two-sided p of replicated differences: twice the smaller tail at 0, each with one added so that it is never 0."""
    count = len(difference)
    tail = min(int((difference <= 0).sum()), int((difference >= 0).sum()))
    return min(1.0, 2.0 * (tail + 1) / (count + 1))


def _pair(a: Units, b: Units) -> tuple[Units, NDArray[np.float64], NDArray[np.float64], int]:
    if a.kind is not b.kind:
        raise CannotInfer(f"units of different kinds cannot be paired: {a.kind.value} and {b.kind.value}")
    common, at_a, at_b = np.intersect1d(a.key.astype(str), b.key.astype(str), return_indices=True)
    union = len(a.key) + len(b.key) - len(common)
    missing = union - len(common)
    if a.kind is not UnitKind.ITEMS and missing:
        what = "jackknife groups" if a.kind is UnitKind.PSEUDO else "replicates"
        raise CannotInfer(f"the two cells do not share their {what}: other prompts, another n or another seed")
    if not len(common) or missing > MISSING * union:
        raise CannotInfer(f"{missing} of {union} pairs lack a partner; at most {MISSING:.0%} may")
    if not np.array_equal(a.cluster[at_a].astype(str), b.cluster[at_b].astype(str)):
        raise CannotInfer("the same items belong to different clusters in the two cells")
    first, second = a.value[at_a], b.value[at_b]
    return Units(a.kind, common, a.cluster[at_a], first - second), first, second, missing
