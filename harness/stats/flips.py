"""Flips: items that one system gets right and another wrong, counted both ways, with an exact test.

A mean hides them: equal accuracy may stand for no change, or for as many items broken as mended. Of paired verdicts
`lost` are right before and wrong after (negative flips), `gained` the reverse. Under the null hypothesis the sign of
each cluster's net change is a coin toss; the distribution of their sum is computed exactly. Where every item is a
cluster of its own this is McNemar's exact test. Precision: exact counts; p to rounding.
Source: rules.md 24 (backward compatibility); McNemar, Psychometrika 12 (1947).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Flips:
    """Counts of paired verdicts. lost: right → wrong; gained: wrong → right; p_value: two-sided, exact."""

    both: int
    lost: int
    gained: int
    neither: int
    clusters: int
    p_value: float

    @property
    def pairs(self) -> int:
        return self.both + self.lost + self.gained + self.neither


def flips(before: Bools, after: Bools, cluster: NDArray[np.str_]) -> Flips:
    """Flips of paired items. before, after (N,) bool, item i of both the same; cluster (N,). Raises ValueError."""
    if not len(before) == len(after) == len(cluster):
        raise ValueError(f"verdicts are not paired: {len(before)}, {len(after)} and {len(cluster)} clusters")
    names, index = np.unique(cluster, return_inverse=True)
    change = after.astype(np.int64) - before.astype(np.int64)
    net = np.bincount(index, weights=change, minlength=len(names)).astype(np.int64)
    return Flips(
        both=int((before & after).sum()),
        lost=int((before & ~after).sum()),
        gained=int((~before & after).sum()),
        neither=int((~before & ~after).sum()),
        clusters=len(names),
        p_value=net_sign_p(net),
    )


def net_sign_p(net: NDArray[np.int64]) -> float:
    """P(|Σ ±net| ≥ |Σ net|) over all signs, each a fair coin. net (G,) int; 1 where nothing changed."""
    sizes = np.abs(net[net != 0])
    reach, observed = int(sizes.sum()), abs(int(net.sum()))
    share = np.ones(1)  # share[i] = P(sum = 2 i - reach so far): only sums of the same parity can occur
    for size in sizes:
        wider = np.zeros(len(share) + int(size))
        wider[: len(share)] += share / 2
        wider[int(size) :] += share / 2
        share = wider
    sums = 2 * np.arange(reach + 1) - reach
    return min(1.0, float(share[np.abs(sums) >= observed].sum()))
