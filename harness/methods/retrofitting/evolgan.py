"""EvolGAN: a (1+1) search on every image's latent that draws single coordinates again, told what a scorer says.

z_0 ~ N(0, I) is the start that all methods share; z' draws each coordinate of z again with probability 1/d (until one
is) and replaces z where its score is at least as good. The generator is untouched. For diffusion models z is the
initial noise, and each evaluation is a full sampling run.
Source: arXiv 2009.13311, formula of the abstract; its budgets are not recovered, and nevergrad's `ImageFromPGAN`, which
draws again with deviation 35 instead of 1, is not followed. Ties are accepted, so that a constant scorer keeps z a
prior draw exactly. No noise handling: scorers here are deterministic.

`cells` > 0 is ours after *Fairness in generative modeling: do it unsupervised!* (arXiv 2210.03517; generation.md 4 B):
features of a pool of prior draws fall into cells by k-means, and a proposal that leaves the cell of its item's start is
turned down whatever its score, so that no cell can be drained. Every proposal is scored, turned down or not: the budget
is the same. Traps: never report the scorer that was climbed; the extractor of the cells should not be the one that
scores diversity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness import keys
from harness.methods.method import Search, Source, method
from harness.methods.oracle import LatentOracle, Refined
from harness.methods.retrofitting.mutation import Mutation, intensity, redrawn
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

FIT = 0  # seed of the pool and of the k-means starts: one partition for all seeds and shards of a suite


@method(
    "evolgan",
    source=Source("EvolGAN: Evolutionary Generative Adversarial Networks", "2009.13311", "none", "none needed"),
    requires="a score of single images",
)
@dataclass(frozen=True)
class EvolGan(Search):
    """(1+1) search on the latent of every image; optionally inside the start's cell of a feature space."""

    budget: int = option(
        100, unit="evaluations an image", at_least=1, help="the start included", source="ours: the least of nevergrad's"
    )
    mutation: Mutation = option(Mutation.DISCRETE, help="how many coordinates are drawn again", source="the paper")
    cells: int = option(0, unit="cells", at_least=0, help="k of k-means; 0: no cells", source="the paper has none")
    extractor: str = option("avatars-contrast", help="cells: feature network", source="ours")
    pool: int = option(256, unit="images", at_least=1, help="cells: prior draws they are fitted to", source="ours")

    @property
    def online(self) -> bool:
        return True

    @property
    def evaluations(self) -> int:
        return self.budget

    def refine(self, oracle: LatentOracle, seed: int) -> Refined:
        kept = oracle.latents.copy()
        held = oracle.score(kept)
        best = np.empty((len(kept), self.budget))
        best[:, 0] = held
        home = Home(oracle, self.cells, self.extractor, self.pool) if self.cells and self.budget > 1 else None
        for t in range(1, self.budget):
            proposals = np.stack([self._proposal(z, seed, k, t) for z, k in zip(kept, oracle.keys, strict=True)])
            scores = oracle.score(proposals)
            taken = scores >= held
            if home is not None:
                taken &= home.holds(proposals)
            kept[taken], held = proposals[taken], np.where(taken, scores, held)
            best[:, t] = held
        return Refined(kept, best)

    def _proposal(self, z: NDArray[np.float32], seed: int, key: tuple[int, int], t: int) -> NDArray[np.float32]:
        random = keys.generator(seed, "search", self.name, *key, t)
        return redrawn(z, intensity(self.mutation, len(z), t, random), random)


class Home:
    """The cell of every item's start, in k-means cells of the features of prior draws."""

    def __init__(self, oracle: LatentOracle, cells: int, extractor: str, pool: int) -> None:
        """Raises ValueError for a pool smaller than the number of cells."""
        from harness.methods.diversity.cells import kmeans

        size = oracle.latents.shape[1]
        draws = [keys.generator(FIT, "calibration", "evolgan", i) for i in range(pool)]
        drawn = np.stack([g.standard_normal(size, dtype=np.float32) for g in draws])
        fitted = _points(oracle.prior_features(drawn, extractor))
        self.centres = kmeans(fitted, cells, keys.generator(FIT, "calibration", "cells"))
        self._oracle, self._extractor = oracle, extractor
        self.cells = self.of(oracle.latents)

    def of(self, latents: NDArray[np.float32]) -> NDArray[np.int64]:
        """(n,) the cell of each item's image."""
        from harness.methods.diversity.cells import cell_of

        points = _points(self._oracle.features(latents, self._extractor))
        found: NDArray[np.int64] = cell_of(points, self.centres).numpy()
        return found

    def holds(self, latents: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n,) whether each item's image lies in the cell of its start."""
        return np.asarray(self.of(latents) == self.cells)


def _points(features: NDArray[np.float32]) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(features, dtype=np.float64))
