"""Intervals and the paired test for proportions: Wilson, Clopper-Pearson, design effect, McNemar.

Wilson keeps its level near 0 and 1, where t on clusters falls to .75; with clusters it is computed at the effective
number of items (statistics.md section 2). Clopper-Pearson is for claims that are bounds (a leak, a false accept rate).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.stats.clusters import cluster_deviations
from harness.stats.student import beta_quantile, binomial_below, normal_quantile


def wilson(share: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a proportion.

    share  observed proportion in [0, 1];  n  items, may be fractional (effective);  raises ValueError for n <= 0
    """
    if n <= 0 or not 0.0 <= share <= 1.0:
        raise ValueError(f"no proportion: share {share}, n {n}")
    z2 = normal_quantile(0.5 + level / 2) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval for a proportion: its coverage is never below `level`."""
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"no proportion: {successes} of {n}")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else beta_quantile(tail, successes, n - successes + 1)
    high = 1.0 if successes == n else beta_quantile(1 - tail, successes + 1, n - successes)
    return low, high


def effective_n(value: NDArray[np.float64], cluster: NDArray[np.str_]) -> float:
    """Items that independent draws would need for the same variance: n / max(1, between / binomial variance).

    value (N,) of 0 and 1, cluster (N,). When all items agree nothing is known of the spread: the number of clusters.
    """
    mean, deviations = cluster_deviations(value, cluster)
    clusters, n = len(deviations), len(value)
    if clusters == n:
        return float(n)
    binomial = mean * (1 - mean) / n
    if binomial == 0.0:
        return float(clusters)
    between = float(deviations @ deviations) / (clusters * (clusters - 1))
    return n / max(1.0, between / binomial)


@dataclass(frozen=True)
class McNemar:
    """The exact test of paired binary outcomes: discordant pairs each way, and the two-sided p."""

    only_first: int
    only_second: int
    p_value: float


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """Exact two-sided p that a discordant pair is as likely one way as the other; 1 without discordant pairs."""
    n = only_first + only_second
    p = 1.0 if n == 0 else min(1.0, 2.0 * binomial_below(min(only_first, only_second), n, 0.5))
    return McNemar(only_first, only_second, p)


def items_for_half_width(share: float, half_width: float, level: float = 0.95) -> int:
    """The smallest n whose Wilson interval at `share` is no wider than twice `half_width`."""
    if not 0.0 < half_width < 0.5:
        raise ValueError(f"half-width must be inside (0, 0.5), found {half_width}")

    def half(n: int) -> float:
        low, high = wilson(share, n, level)
        return (high - low) / 2

    high = 1
    while half(high) > half_width:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if half(middle) > half_width else (low, middle)
    return high
