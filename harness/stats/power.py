"""What a paired design can see: power, minimum detectable effect and the units needed, by the non-central t.

Effects are in standard deviations of the paired difference. The normal formula 2.80/sqrt(n) is wrong below 30 units:
1.253 instead of 1.682 at n = 5 (statistics.md section 7).
"""

from __future__ import annotations

import math

from harness.stats.student import noncentral_t_below, t_quantile


def power(effect: float, n: int, alpha: float = 0.05) -> float:
    """Chance that the two-sided paired t test of n units rejects when the true difference is `effect` sd."""
    if n < 2:
        raise ValueError(f"a paired test needs 2 units; found {n}")
    critical, shift = t_quantile(1 - alpha / 2, n - 1), abs(effect) * math.sqrt(n)
    far = noncentral_t_below(-critical, n - 1, shift)  # nan where it underflows: nothing is lost
    return 1.0 - noncentral_t_below(critical, n - 1, shift) + (far if math.isfinite(far) else 0.0)


def detectable(n: int, chance: float = 0.8, alpha: float = 0.05) -> float:
    """The minimum detectable effect (MDE): the effect in sd that n units find with this chance."""
    low, high = 0.0, 1.0
    while power(high, n, alpha) < chance:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle, n, alpha) < chance else (low, middle)
    return high


def units_needed(effect: float, chance: float = 0.8, alpha: float = 0.05) -> int:
    """The smallest number of paired units that finds `effect` sd with this chance. Raises ValueError for effect 0."""
    if effect == 0:
        raise ValueError("no number of units finds an effect of 0")
    low, high = 1, 2
    while power(effect, high, alpha) < chance:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if power(effect, middle, alpha) < chance else (low, middle)
    return high
