"""Ranks in a gallery, on arrays: of the true person, of the best mate among photos, of an impersonation target.

Ties count for the recogniser where somebody hides, and against the attacker where somebody pretends. All mates of a
person are right: only photos of others can push a mate down (the evaluation of Image-Privacy counts one mate and lets
the others push it). Ranks are 0-based; a row whose own score is -inf (no face found) has the worst rank of all.
Source: face_privacy.md section 8.5. Traps: T9 to T11.
"""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.faces.view import Bools
from harness.metrics.inputs import Floats, Ints


def ranks(scores: Floats, own: Ints) -> Ints:
    """How many other people score strictly above the true one. scores (n, G), own (n,) columns → (n,)."""
    mine = scores[np.arange(len(own)), own]
    return _worst_if_lost((scores > mine[:, None]).sum(axis=1), mine, scores.shape[1])


def image_ranks(scores: Floats, mates: Bools) -> Ints:
    """How many photos score strictly above the best mate: never a mate. scores, mates (n, G), a mate in every row."""
    best = np.where(mates, scores, -np.inf).max(axis=1)
    return _worst_if_lost((scores > best[:, None]).sum(axis=1), best, scores.shape[1])


def tracked_ranks(scores: Floats, mate: Ints) -> Ints:
    """How many photos, other mates included, score strictly above one mate: the published bug, kept for its own ids."""
    return ranks(scores, mate)


def target_ranks(scores: Floats, target: Ints) -> Ints:
    """How many other people score at least as high as the target: ties count against the attacker."""
    theirs = scores[np.arange(len(target)), target]
    above = (scores >= theirs[:, None]).sum(axis=1) - 1
    return _worst_if_lost(above, theirs, scores.shape[1])


def chance(gallery: int, mates: int, k: int) -> float:
    """Probability that a random embedding has no mate in its top k: C(G - m, k) / C(G, k)."""
    return comb(gallery - mates, k) / comb(gallery, k)


def _worst_if_lost(rank: NDArray[Any], own: Floats, worst: int) -> Ints:
    return np.where(np.isfinite(own), rank, worst).astype(np.int64)
