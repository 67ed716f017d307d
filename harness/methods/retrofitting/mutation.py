"""Discrete mutations of standard normal latents: some coordinates are drawn again from N(0, 1), the others stay.

Each coordinate is drawn again with probability u/d, repeated until at least one is. A proposal so made is N(0, I)
where its parent was: no other scale than 1 may be used (generation.md section 2, first trap).
Source: nevergrad's operators (commit 617a3b0, MIT), written from their formulas in generation.md section 1.
"""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

LENGLER = 1.54468  # of d ln(t) / t


class Mutation(StrEnum):
    """How the intensity u, the expected number of coordinates drawn again, is set."""

    DISCRETE = "discrete"  # 1
    LENGLER = "lengler"  # falls with the number of asks made: a schedule
    PORTFOLIO = "portfolio"  # uniform on {1 … d-1}, drawn for every proposal


def lengler(d: int, asked: int) -> int:
    """max(1, ⌊1.54468 d ln(t)/t⌋) after t = `asked` ≥ 1 asks."""
    return max(1, math.floor(LENGLER * d * math.log(asked) / asked))


def intensity(mutation: Mutation, d: int, asked: int, random: np.random.Generator) -> int:
    """u of the next proposal in d coordinates, `asked` points having been asked before it."""
    if mutation is Mutation.LENGLER:
        return lengler(d, asked)
    if mutation is Mutation.PORTFOLIO and d > 1:
        return int(random.integers(1, d))
    return 1


def redrawn(z: NDArray[np.float32], u: int, random: np.random.Generator) -> NDArray[np.float32]:
    """A copy of z (d,) with each coordinate drawn again with probability u/d, at least one of them."""
    chosen = np.zeros(len(z), dtype=bool)
    while not chosen.any():
        chosen = random.random(len(z)) < u / len(z)
    moved = z.copy()
    moved[chosen] = random.standard_normal(int(chosen.sum()), dtype=np.float32)
    return moved
