"""Keyed bootstrap of prompts and of the items within them: the same draws for every method.

Prompts are drawn with replacement, then items within each drawn prompt. Replicates are shifted so that their mean is
the value: resampling a biased statistic adds its bias once more. Measured on the mean over prompts of a total variation
(400 simulations; 5 to 100 prompts of 4 to 50 images): the percentiles cover .88 to .98 with the shift and 0 to .95
without it; whole prompts alone cover .81 to .95.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from harness.keys import generator
from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import CannotMeasure, Items, ScoreStatus
from harness.stats.units import UnitKind, Units

REPLICATES = 500


@dataclass(frozen=True)
class Clusters:
    """Item indices by prompt, ordered by sample: row p of `table` (P, n) holds `size[p]` of them, then -1."""

    table: Ints
    size: Ints
    prompt: Ints

    def __len__(self) -> int:
        return len(self.table)


def clusters_of(items: Items, keep: Ints | None = None) -> Clusters:
    """The clusters of the items numbered in `keep` (all by default). Raises CannotMeasure where there are none."""
    chosen = np.arange(len(items)) if keep is None else keep
    if len(chosen) == 0:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "no items")
    order = chosen[np.lexsort((items.sample[chosen], items.prompt[chosen]))]
    prompt, start, size = np.unique(items.prompt[order], return_index=True, return_counts=True)
    column = np.arange(size.max())
    table = np.where(column < size[:, None], order[np.minimum(start[:, None] + column, len(order) - 1)], -1)
    return Clusters(table.astype(np.int64), size.astype(np.int64), prompt.astype(np.int64))


def resampled(clusters: Clusters, seed: int, *key: str) -> Iterator[tuple[Ints, Ints]]:
    """REPLICATES pairs (prompt rows (P,), item indices (P, n) with -1 where there is none) of the key ("stats", …).

    The draws depend on the key and on the layout of the clusters, on nothing else.
    """
    random = generator(seed, "stats", *key)
    rows, width = int(clusters.table.shape[0]), int(clusters.table.shape[1])
    column = np.arange(width)
    for _ in range(REPLICATES):
        picked: Ints = random.integers(rows, size=(rows,))
        size = clusters.size[picked][:, None]
        within = (random.random((rows, width)) * size).astype(np.int64)
        yield picked, np.where(column < size, clusters.table[picked[:, None], within], -1)


def replicate_units(value: float, replicates: Floats) -> Units:
    """Units of replicates numbered from 0, shifted so that their mean is `value`."""
    key = np.array([f"{r:04d}" for r in range(len(replicates))])
    return Units(UnitKind.REPLICATES, key, key, replicates - replicates.mean() + value)


def bootstrap(items: Items, value: float, statistic: Callable[[Ints], float], seed: int, *key: str) -> Units:
    """Units of a statistic of pooled items: `statistic` takes item indices, repeated as drawn."""
    replicates = [statistic(drawn[drawn >= 0]) for _, drawn in resampled(clusters_of(items), seed, *key)]
    return replicate_units(value, np.array(replicates))
