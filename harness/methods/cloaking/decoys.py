"""Decoys: whom a photo is moved towards, chosen in the pool of people who are in no gallery, no probe and no target."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from harness.methods.cloaking.ensemble import Ensemble
from harness.methods.cloaking.photos import BLOCK, Photos, Tools

if TYPE_CHECKING:
    from torch import Tensor


class Choice(StrEnum):
    """Which decoy a photo gets, by the mean cosine of the surrogates."""

    FARTHEST = "farthest"  # the least similar photo of the pool
    MEDIAN_RANK = "median_rank"  # the photo in the middle of the pool by similarity, the lower of two
    NAMED = "named"  # the most similar photo of one person, the same person for all
    CENTROID = "centroid"  # the mean vector of the pool, the same for all


@dataclass(frozen=True)
class Pool:
    """The decoys as every surrogate sees them: vectors (K, D) each, and people (K,)."""

    vectors: tuple[Tensor, ...]
    person: np.ndarray[tuple[int], np.dtype[np.str_]]

    @classmethod
    def of(cls, ensemble: Ensemble, tools: Tools) -> Pool:
        """Seen once a call. Raises ValueError where there is nobody."""
        import torch

        if "decoys" in ensemble.memo:
            return ensemble.memo["decoys"]  # type: ignore[no-any-return]
        count = len(tools.decoys)
        if not count:
            raise ValueError("there are no decoys: the task's pool of people is empty")
        parts = []
        for start in range(0, count, BLOCK):
            rows = [min(i, count - 1) for i in range(start, start + BLOCK)]
            parts.append([v[: count - start] for v in ensemble.known(tools.decoys[rows].to(tools.device))])
        pool = cls(tuple(torch.cat(v) for v in zip(*parts, strict=True)), np.asarray(tools.decoy_person))
        ensemble.memo["decoys"] = pool
        return pool

    def similarity(self, vectors: list[Tensor]) -> Tensor:
        """(n, K) mean over surrogates of the cosine of vectors (n, D) with every decoy."""
        return sum(cosines(v, p) for v, p in zip(vectors, self.vectors, strict=True)) / len(self.vectors)  # type: ignore[return-value]

    def centroids(self) -> tuple[list[str], list[Tensor]]:
        """The people, sorted, and the mean vectors (P, D) of their photos for every surrogate."""
        import torch

        people = sorted(set(self.person.tolist()))
        rows = [np.flatnonzero(self.person == p).tolist() for p in people]
        return people, [torch.stack([v[r].mean(dim=0) for r in rows]) for v in self.vectors]

    def chosen(self, choice: Choice, person: str, vectors: list[Tensor]) -> list[Tensor]:
        """The decoys' vectors (n, D) of each surrogate for photos of these vectors. Raises ValueError."""
        if choice is Choice.CENTROID:
            return [p.mean(dim=0).expand(len(vectors[0]), -1) for p in self.vectors]
        similar = self.similarity(vectors)
        if choice is Choice.NAMED:
            other = np.flatnonzero(self.person != person).tolist()
            if len(other) == len(self.person):
                raise ValueError(f"decoy {person!r} is not in the pool: {', '.join(sorted(set(self.person.tolist())))}")
            similar[:, other] = -2.0
            rows = similar.argmax(dim=1)
        elif choice is Choice.FARTHEST:
            rows = similar.argmin(dim=1)
        else:
            rows = similar.sort(dim=1, descending=True, stable=True).indices[:, similar.shape[1] // 2]
        return [p[rows] for p in self.vectors]


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """(n, K) cosines of rows (n, D) and (K, D)."""
    from torch.nn import functional

    return functional.normalize(a, dim=1) @ functional.normalize(b, dim=1).T


def nearer(pool: Pool, vectors: list[Tensor], decoy: list[Tensor]) -> Tensor:
    """(n,) the decoy's rank from 0: how many photos of the pool are more similar to these vectors (n, D)."""
    from torch.nn import functional

    own = sum(functional.cosine_similarity(v, d, dim=1) for v, d in zip(vectors, decoy, strict=True)) / len(decoy)
    # the decoy's own photo must not stand before itself by a rounding
    return (pool.similarity(vectors) > own[:, None] + 1e-6).sum(dim=1)  # type: ignore[index]


def drawn(photos: Photos, tools: Tools, seed: int, name: str) -> Tensor:
    """(n, 3, H, W) a photo of the pool for each photo, drawn by its key."""
    rows = photos.draws(seed, name, lambda g: int(g.integers(len(tools.decoys))))
    return tools.decoys[rows].to(photos.pixels.device)
