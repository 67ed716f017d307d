"""Means over clusters, and over two crossed kinds of cluster.

The unit of inference is the cluster (prompt, identity, source image). Ignoring clusters covers .71 where 95 % is
claimed (40 prompts x 5 images, rho = .6). Variances are two-pass float64 with n - 1: adding 1e8 to every item changes
nothing (T58).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.stats.student import t_quantile
from harness.stats.units import CannotInfer, Interval

MINIMUM = 5
"""Clusters needed for an interval (statistics.md section 13)."""


def cluster_deviations(value: NDArray[np.float64], cluster: NDArray[np.str_]) -> tuple[float, NDArray[np.float64]]:
    """The mean of all items, and what each cluster adds to it: (C,) deviations that sum to 0.

    With equal sizes these are cluster means minus the mean. With unequal ones they are the linearised deviations
    C/n · sum of (item - mean), so that the interval stays centred on the mean of the items, the score itself.
    """
    _, index = np.unique(cluster, return_inverse=True)
    mean = float(value.mean())
    sums = np.bincount(index, weights=value - mean)
    deviations = sums * (len(sums) / len(value))
    return mean, deviations - deviations.mean()


def variance_of_mean(value: NDArray[np.float64], cluster: NDArray[np.str_]) -> float:
    """Variance of the mean of all items when clusters, not items, are independent (C - 1 in the denominator)."""
    _, deviations = cluster_deviations(value, cluster)
    count = len(deviations)
    return float(deviations @ deviations) / (count * (count - 1))


@dataclass(frozen=True)
class Crossed:
    """Mean of crossed units with its two-way interval, the variance from each side and the side that dominates."""

    mean: float
    interval: Interval
    variance_rows: float
    variance_columns: float
    dominant: Literal["rows", "columns"]


def crossed(
    value: NDArray[np.float64], row: NDArray[np.str_], column: NDArray[np.str_], level: float = 0.95
) -> Crossed:
    """Mean of items that belong to a row unit (prompt) and a column unit (seed) at once.

    V = max(V_row + V_column - V_cell, V_row, V_column), t with min(rows, columns) - 1 degrees. Conservative when only
    one side varies (.992 measured), right when both do. Raises CannotInfer with fewer than two rows or columns.
    """
    rows, columns = len(np.unique(row)), len(np.unique(column))
    if min(rows, columns) < 2:
        raise CannotInfer(f"two rows and two columns are needed for a two-way interval; found {rows} and {columns}")
    cell = np.char.add(np.char.add(row.astype(str), "\x1f"), column.astype(str))
    v_row, v_column = variance_of_mean(value, row), variance_of_mean(value, column)
    variance = max(v_row + v_column - variance_of_mean(value, cell), v_row, v_column)
    mean = float(value.mean())
    half = t_quantile(0.5 + level / 2, min(rows, columns) - 1) * float(np.sqrt(variance))
    return Crossed(
        mean,
        Interval(mean - half, mean + half, f"two-way(rows={rows},columns={columns})"),
        v_row,
        v_column,
        "rows" if v_row >= v_column else "columns",
    )
