"""Keyed resampling of examples: weights of every example in each replicate, the same for every method and metric.

The sets D_f, D_r and D_t (inside and outside what is forgotten) are resampled by themselves, whole clusters with
replacement; a weight says how often an example was drawn. Attackers are fitted anew in every replicate: an attacker
that finds nothing draws its line anywhere, and with the attacker held fixed the interval of `mia.svc_conf` would be
ten times too short there (simulated: sd .33 over data sets; .03 held fixed, .28 fitted anew). The draws depend on the
number of clusters of each set and on the seed, on nothing that a method did, so replicates pair. 1000 of them, because
Holm's correction over fifteen rows must be able to reach .05.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from harness.keys import generator
from harness.metrics.unlearning.outcomes import Floats, Ints, View

REPLICATES = 1000


def weights(seen: View, sets: Sequence[str], replicates: int = REPLICATES) -> Iterator[Floats]:
    """Arrays (N,) float64 of whole numbers, 0 outside the named sets: fields of View.

    A set's draws do not depend on which others are named.
    """
    rows = {name: _rows(seen, name) for name in sets}
    cut = {name: np.unique(seen.cluster[r], return_inverse=True) for name, r in rows.items() if len(r)}
    randoms = {name: generator(seen.seed, "stats", "unlearning", name) for name in cut}
    for _ in range(replicates):
        weight = np.zeros(len(seen.key))
        for name, (clusters, member) in cut.items():
            drawn = randoms[name].integers(len(clusters), size=len(clusters))
            weight[rows[name]] = np.bincount(drawn, minlength=len(clusters))[member]
        yield weight


def batched(found: Iterator[Floats], size: int) -> Iterator[list[Floats]]:
    """Lists of at most `size` in turn."""
    while chunk := list(islice(found, size)):
        yield chunk


def _rows(seen: View, name: str) -> Ints:
    rows: Ints = getattr(seen, name)
    return rows


@dataclass(frozen=True)
class Bins:
    """Values in bins of equal counts, so that an attacker is fitted to a few weighted points.

    centre (B,) float64, mean of each bin;  member (K,) int, the bin of each value. With K ≤ B every value is its own.
    """

    centre: Floats
    member: Ints

    def sums(self, weight: Floats) -> Floats:
        """(B,) weight of each bin. weight (K,)."""
        return np.bincount(self.member, weights=weight, minlength=len(self.centre)).astype(np.float64)

    @cached_property
    def counts(self) -> Floats:
        return self.sums(np.ones(len(self.member)))


def bins(value: Floats, most: int) -> Bins:
    """At most `most` bins of values (K,), cut at ranks."""
    count = min(most, len(value))
    if count == 0:
        return Bins(np.empty(0), np.empty(0, dtype=np.int64))
    member = np.empty(len(value), dtype=np.int64)
    member[np.argsort(value, kind="stable")] = np.arange(len(value)) * count // len(value)
    return Bins(np.bincount(member, weights=value) / np.bincount(member), member)
