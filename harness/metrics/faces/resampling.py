"""Keyed bootstrap of identities: how often each of P people is drawn in replicate r, the same for every metric.

The draws depend on the seed, on the part of the data (people who are scored, people of the calibration, targets) and on
how many people it holds; people are numbered in the order of their names. So every method, recogniser and threshold
sees the same people in replicate r: differences of two cells are paired and a threshold's uncertainty is carried along.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from harness.keys import generator
from harness.metrics.inputs import Floats, Ints
from harness.stats.units import UnitKind, Units

REPLICATES = 4000  # a p-value may be as small as .0005, so that Holm's correction of fifty comparisons can be passed
UNDEFINED = 0.01


@lru_cache(maxsize=32)
def drawn(seed: int, part: str, people: int) -> Ints:
    """(REPLICATES, people) int64, read-only: rows sum to `people`."""
    random = generator(seed, "stats", "faces", part)
    picked = random.integers(people, size=(REPLICATES, people)) + people * np.arange(REPLICATES)[:, None]
    counts: Ints = np.bincount(picked.ravel(), minlength=REPLICATES * people).reshape(REPLICATES, people)
    counts.setflags(write=False)
    return counts


@lru_cache(maxsize=8)
def short_of_certain(people: int) -> Floats:
    """(REPLICATES,) draws of Beta(1/2, people + 1/2): the share that none of `people` showed; read-only."""
    found: Floats = generator(0, "stats", "faces", "nobody", people).beta(0.5, people + 0.5, REPLICATES)
    found.setflags(write=False)
    return found


def replicate_units(replicates: Floats, value: float, people: int = 0) -> Units | None:
    """Units of replicates numbered from 0.

    A replicate without a value (nobody drawn for its denominator) takes `value`; where more than one in a hundred has
    none, the tails are unknown: no units, hence no interval. A share of `people` that is 0 or 1 for all of them has
    replicates with no spread of its own, and yet is not known exactly: no replicate is nearer to the end than a draw
    from Jeffreys' posterior, the same draws for every share of so many people, so that two cells that agree on
    everybody differ by 0.
    """
    undefined = ~np.isfinite(replicates)
    if undefined.mean() > UNDEFINED:
        return None
    replicates = np.where(undefined, value, replicates)
    if people and value in (0.0, 1.0):
        replicates = np.abs(value - np.maximum(np.abs(value - replicates), short_of_certain(people)))
    key = np.array([f"{r:04d}" for r in range(len(replicates))])
    return Units(UnitKind.REPLICATES, key, key, replicates)
