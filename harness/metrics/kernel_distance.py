"""Kernel distance: unbiased squared MMD between two feature sets, cubic kernel.

k(a, b) = (a·b / D + 1)³; all pairs i ≠ j inside each set, all pairs across: the full U-statistic (arXiv 1801.01401),
not the mean over random subsets, whose printed spread is four times the error. Only Inception features make it KID.
Unbiased at any N, and so sometimes negative: never clamped. The interval is a grouped jackknife over the generated
items with the reference whole.
Precision: float64, 1e-10 against the direct sum. Traps: metrics.md section 3, T16 to T20.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.metrics.feature_sets import Features, feature_needs, feature_sets, jackknifed
from harness.metrics.metric import Direction, Evidence, Measurement, Metric, Need, metric
from harness.options import option
from harness.stats.units import Estimator

FEWEST = 20
"""Items needed on each side: below, the cubes of single pairs carry the value (T20)."""

BLOCK = 1 << 22
"""Kernel values held at once (32 MB)."""


def kernel(a: Features, b: Features) -> Features:
    """The cubic kernel (N, M) of rows a (N, D) and b (M, D)."""
    values = a @ b.T
    values /= a.shape[1]
    values += 1.0
    return np.asarray(values * values * values)


def inside_sum(x: Features) -> float:
    """Sum of the kernel over all ordered pairs i ≠ j of one set (M, D), by blocks of the upper triangle."""
    rows = max(1, BLOCK // len(x))
    total = 0.0
    for start in range(0, len(x), rows):
        block = x[start : start + rows]
        own = kernel(block, block)
        total += float(own.sum()) - float(np.trace(own)) + 2.0 * float(kernel(block, x[start + rows :]).sum())
    return total


def group_sums(
    x: Features, y: Features, group: NDArray[np.int64], groups: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of the kernel from which every leave-one-group-out value follows.

    x (N, D) in groups (N,), y (M, D) whole → (G, G) inside x with own pairs left out, (G,) from each group to y
    """
    order = np.argsort(group, kind="stable")
    x, starts = x[order], np.searchsorted(group[order], np.arange(groups))
    inside, across = np.empty((len(x), groups)), np.empty(len(x))
    rows = max(1, BLOCK // max(len(x), len(y)))
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        own = kernel(x[part], x)
        own[np.arange(len(own)), np.arange(start, start + len(own))] = 0.0
        inside[part] = np.add.reduceat(own, starts, axis=1)
        across[part] = kernel(x[part], y).sum(axis=1)
    return np.add.reduceat(inside, starts, axis=0), np.add.reduceat(across, starts)


def mmd2(
    x: Features, y: Features, group: NDArray[np.int64] | None = None, groups: int = 0
) -> tuple[float, NDArray[np.float64]]:
    """The U-statistic of x (N, D) against y (M, D), and its values (G,) without each group of x."""
    if group is None:
        group, count = np.zeros(len(x), dtype=np.int64), 1
    else:
        count = groups
    inside, across = group_sums(x, y, group, count)
    reference = inside_sum(y) / (len(y) * (len(y) - 1))

    def value(xx: float, xy: float, n: int) -> float:
        return xx / (n * (n - 1)) + reference - 2.0 * xy / (n * len(y))

    full = value(float(inside.sum()), float(across.sum()), len(x))
    left_out = [
        value(
            float(np.delete(np.delete(inside, g, 0), g, 1).sum()),
            float(np.delete(across, g).sum()),
            len(x) - int((group == g).sum()),
        )
        for g in range(groups)
    ]
    return full, np.array(left_out)


@metric(
    "kd.{space}",
    unit="squared MMD",
    direction=Direction.LOWER,
    estimator=Estimator.U_STATISTIC,
    source="arXiv 1801.01401",
)
@dataclass(frozen=True)
class KernelDistance(Metric):
    """Kernel distance (KID's estimator): unbiased squared MMD between generated and reference features."""

    space: str = option(help="name of a feature extractor other than Inception")

    def needs(self) -> tuple[Need, ...]:
        return feature_needs(self.space)

    def measure(self, evidence: Evidence) -> Measurement:
        sets = feature_sets(evidence, self.space, fewest=FEWEST)
        full, left_out = mmd2(sets.generated, sets.against(), sets.groups.index, len(sets.groups))
        return jackknifed(sets.groups, full, left_out)
