"""What few seeds can and cannot show: exact sign flips over paired seeds, and the sentence said at plan time.

Source: statistics.md section 3. A seed is the unit where it makes a new object of study (an edited model, a search).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

EXACT_UP_TO = 20
"""Units up to which all sign patterns are enumerated (2^20 patterns, under a second)."""


def smallest_sign_flip_p(n: int) -> float:
    """The smallest two-sided p that an exact sign-flip test of n paired units can reach: 2 / 2^n."""
    return min(1.0, 2.0 / 2.0**n)


def smallest_mann_whitney_p(n: int, m: int) -> float:
    """The smallest two-sided p of an exact Mann-Whitney test of n against m units."""
    return min(1.0, 2.0 / math.comb(n + m, n))


def sign_flip_p(difference: NDArray[np.float64]) -> float:
    """Exact two-sided p of paired differences (n,) under random signs. Raises ValueError outside 1 … 20 units."""
    n = len(difference)
    if not 1 <= n <= EXACT_UP_TO:
        raise ValueError(f"exact sign flips take 1 to {EXACT_UP_TO} units; found {n}")
    sums = np.zeros(1)
    for d in np.asarray(difference, dtype=np.float64):
        sums = np.concatenate([sums + d, sums - d])
    observed = abs(float(np.sum(difference)))
    return float((np.abs(sums) >= observed - 1e-12 * float(np.abs(difference).sum())).mean())


def note(n: int, alpha: float = 0.05) -> str:
    """What a claim over n seeds cannot reach, as a sentence; empty when it can."""
    smallest = smallest_sign_flip_p(n)
    if n < 2:
        return "one seed: the interval would describe this model, not the method"
    if smallest <= alpha:
        return ""
    enough = math.ceil(math.log2(2.0 / alpha))
    return (
        f"with {n} seeds an exact sign-flip test cannot go below p = {smallest:.3g}; "
        f"{enough} seeds are the fewest that can reach {alpha:g}"
    )
