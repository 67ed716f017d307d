"""Best of N: N independent latents an item, the one with the best score is kept. The strong plain baseline.

For latents this *is* random search: what a search method must beat at the same number of evaluations. The first draw is
the start that all methods share, so N = 1 is the untouched model bit for bit. Ties are broken by a keyed number of each
draw, not by its index, which would favour the start (and low seeds) where scores saturate. A larger N goes on with the
draws of a smaller one. Source: generation.md section 6.8. Expected best of N standard normal scores: .5642, 1.0294,
1.7660 and 2.5076 for N = 2, 4, 16, 100.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness import keys
from harness.methods.method import Search, Source, method
from harness.methods.oracle import LatentOracle, Refined
from harness.options import option


def divergence_bound(n: int) -> float:
    """KL(best of n ‖ prior) ≤ ln n - (n-1)/n, an upper bound only: how far the selection can move the distribution."""
    return math.log(n) - (n - 1) / n


@method(
    "best_of_n",
    source=Source("Best of N independent samples", licence="none needed"),
    requires="a score of single images",
)
@dataclass(frozen=True)
class BestOfN(Search):
    """The best of `n` independent draws of every item's latent: random search on latents."""

    n: int = option(
        100,
        unit="draws an item",
        at_least=1,
        help="evaluations, the start included",
        source="ours: evolgan's",
    )

    @property
    def online(self) -> bool:
        return True

    @property
    def evaluations(self) -> int:
        return self.n

    def refine(self, oracle: LatentOracle, seed: int) -> Refined:
        size = oracle.latents.shape[1]
        kept, best = oracle.latents.copy(), np.empty((len(oracle.latents), self.n))
        held = oracle.score(kept)
        best[:, 0] = held
        lots = np.array([self._random(seed, k, 0).random() for k in oracle.keys])
        for t in range(1, self.n):
            draws = [self._random(seed, k, t) for k in oracle.keys]
            lot = np.array([g.random() for g in draws])
            proposals = np.stack([g.standard_normal(size, dtype=np.float32) for g in draws])
            scores = oracle.score(proposals)
            taken = (scores > held) | ((scores == held) & (lot > lots))
            kept[taken], held, lots = proposals[taken], np.where(taken, scores, held), np.where(taken, lot, lots)
            best[:, t] = held
        return Refined(kept, best)

    def _random(self, seed: int, key: tuple[int, int], t: int) -> np.random.Generator:
        return keys.generator(seed, "search", self.name, *key, t)
