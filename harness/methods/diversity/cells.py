"""Cells of a feature space and what to keep of each: k-means, masses, acceptance, importance weights.

Pure functions; points are (N, D) float64, cells are numbered 0 … k-1. Source: generation.md section 4 (ours).
Closed forms: p = (.8, .2), q = (.5, .5): M = 2.5, acceptance (.25, 1), overall 1/M = .4, weights (.625, 2.5), effective
sample share 1/Σ q²/p = .64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.methods.diversity.spread import distances

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]

ROUNDS = 300  # of Lloyd's iteration at most; it stops where no point changes its cell


def kmeans(points: Tensor, k: int, random: np.random.Generator, restarts: int = 10) -> Tensor:
    """Centres (k, D) of least within-cell sum of squares over `restarts` k-means++ starts.

    Raises ValueError for fewer points than cells.
    """
    import torch

    if len(points) < k:
        raise ValueError(f"{k} cells of {len(points)} points: give a larger pool or fewer cells")
    best, lowest = points[:k], torch.inf
    for _ in range(restarts):
        centres = lloyd(points, started(points, k, random))
        cost = float((distances(points, centres).min(1).values ** 2).sum())
        if cost < lowest:
            best, lowest = centres, cost
    return best


def started(points: Tensor, k: int, random: np.random.Generator) -> Tensor:
    """Start centres by k-means++: the next one with probability ∝ squared distance to the nearest so far."""
    chosen = [int(random.integers(len(points)))]
    while len(chosen) < k:
        weight = (distances(points, points[chosen]).min(1).values ** 2).numpy()
        weight[chosen] = 0.0
        total = weight.sum()
        free = np.setdiff1d(np.arange(len(points)), chosen)
        chosen.append(int(random.choice(len(points), p=weight / total)) if total > 0 else int(free[0]))
    return points[chosen]


def lloyd(points: Tensor, centres: Tensor) -> Tensor:
    """Lloyd's iteration from given centres; a cell that loses all its points keeps its centre."""
    import torch

    before = None
    for _ in range(ROUNDS):
        cell = cell_of(points, centres)
        if before is not None and torch.equal(cell, before):
            break
        counts = torch.bincount(cell, minlength=len(centres)).to(points)
        sums = torch.zeros_like(centres).index_add_(0, cell, points)
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp_min(1.0)[:, None], centres)
        before = cell
    return centres


def cell_of(points: Tensor, centres: Tensor) -> Tensor:
    """(N,) the nearest centre of each point, the lower number in a tie."""
    return distances(points, centres).argmin(1)


def masses(cell: Tensor, k: int, floor: float = 0.0) -> Floats:
    """(k,) shares of the cells, none below `floor` (before they are brought to sum 1 again).

    Raises ValueError for an empty cell without a floor: nothing can be accepted in proportion to 1/0.
    """
    import torch

    counts = torch.bincount(cell, minlength=k).double().cpu().numpy()
    share = np.maximum(counts / counts.sum(), floor)
    if not (share > 0).all():
        raise ValueError(f"{int((share == 0).sum())} of {k} cells are empty in the pool: set a floor above 0")
    return np.asarray(share / share.sum())


def bound(p: Floats, q: Floats) -> float:
    """M = max_c q_c/p_c: draws a kept sample costs on average."""
    return float((q / p).max())


def acceptance(p: Floats, q: Floats) -> Floats:
    """(k,) probabilities q_c/(M p_c) of keeping a sample of each cell; 1 exactly in the scarcest cell."""
    ratio = q / p
    return np.asarray(ratio / ratio.max())


def effective_share(p: Floats, q: Floats) -> float:
    """1/Σ q²/p in (0, 1]: independent samples that a weighted one is worth."""
    return float(1.0 / (q**2 / p).sum())


def rejected(cell: Sequence[int], keep: Floats, uniform: Sequence[float], count: int) -> tuple[list[int], int]:
    """Rejection sampling among candidates in order: `count` indices, and how many of them were not accepted.

    A candidate is accepted where its uniform number is below keep[cell]. Once the candidates are used up, those turned
    down come back in order: tries are capped.
    """
    accepted = [i for i, (c, u) in enumerate(zip(cell, uniform, strict=True)) if u < keep[c]]
    if len(accepted) >= count:
        return accepted[:count], 0
    back = [i for i in range(len(cell)) if i not in set(accepted)][: count - len(accepted)]
    return sorted(accepted + back), len(back)


def resampled(cell: Sequence[int], weight: Floats, exponential: Sequence[float], count: int) -> list[int]:
    """Importance resampling without replacement: `count` sorted indices, drawn one after the other with probability
    proportional to weight[cell] among those left (exponential races). Equal weights keep the first `count`.
    """
    own = np.asarray([weight[c] for c in cell])
    if np.allclose(own, own[0], rtol=1e-12):
        return list(range(count))
    with np.errstate(divide="ignore"):
        time = np.asarray(exponential) / own
    return sorted(int(i) for i in np.argsort(time, kind="stable")[:count])
