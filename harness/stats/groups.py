"""Jackknife groups: whole clusters dealt into equal groups, the same for every method that answers the same prompts.

G is 10 to 20, chosen so that the groups are as equal as the number of clusters allows; below 20 clusters each cluster
is a group. Clusters are dealt in the order of a hash of their names, so that an order in the prompts (all bakers first)
does not become an order of the groups.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.stats.clusters import MINIMUM
from harness.stats.units import CannotInfer, UnitKind, Units

FEWEST, MOST = 10, 20


@dataclass(frozen=True)
class Groups:
    """index (N,) int, the group of every item; size (G,) int, items a group; name (G,) str.

    A name carries a digest of the group's clusters and their numbers of items, so groups of cells with other prompts or
    another n have other names and cannot be paired by mistake.
    """

    index: NDArray[np.int64]
    size: NDArray[np.int64]
    name: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.size)

    def units(self, full: float, left_out: NDArray[np.float64]) -> Units:
        """Pseudo-values h·full - (h - 1)·left_out with h = n / group size: G and G - 1 where groups are equal.

        left_out (G,): the estimate without each group. For any size of group a mean gives the group's mean, and a bias
        proportional to 1/n cancels.
        """
        h = self.size.sum() / self.size
        return Units(UnitKind.PSEUDO, self.name, self.name, h * full - (h - 1.0) * np.asarray(left_out, np.float64))


def group_count(clusters: int) -> int:
    """Number of groups for a number of clusters. Raises CannotInfer below 5 clusters."""
    if clusters < MINIMUM:
        raise CannotInfer(f"at least {MINIMUM} clusters are needed for a jackknife; found {clusters}")
    if clusters <= MOST:
        return clusters

    def imbalance(count: int) -> float:
        rest, size = clusters % count / count, clusters / count
        return rest * (1 - rest) / size**2

    return min(range(MOST, FEWEST - 1, -1), key=imbalance)


def jackknife_groups(cluster: NDArray[np.str_]) -> Groups:
    """Groups of whole clusters for items with these clusters (N,). Raises CannotInfer below 5 clusters."""
    names, inverse, counts = np.unique(np.asarray(cluster, dtype=str), return_inverse=True, return_counts=True)
    total = group_count(len(names))
    order = np.argsort([hashlib.blake2b(str(n).encode(), digest_size=8).hexdigest() for n in names], kind="stable")
    group = np.empty(len(names), dtype=np.int64)
    group[order] = np.arange(len(names)) % total
    labels = []
    for g in range(total):
        inside = ";".join(f"{n}:{c}" for n, c in zip(names[group == g], counts[group == g], strict=True))
        labels.append(f"{g:02d}-{hashlib.blake2b(inside.encode(), digest_size=4).hexdigest()}")
    index = group[inverse]
    return Groups(index, np.bincount(index, minlength=total), np.array(labels))
