"""How far a score on the tune items may flatter: bounds for losses in [0, 1], and the optimism of the reported best.

A search only learns of the tune items what its comparisons tell it. Each possible trace fixes one model before the data
are seen, so Hoeffding and a union over traces bound the gap between tune mean and expectation for the
returned point: e = sqrt((nats + ln(2 / delta)) / (2 n)), nats = ln(number of traces).
Source: generation.md section 1 (K fixed candidates, adaptive decisions, independent restarts, full rankings).
"""

from __future__ import annotations

import math
from enum import StrEnum


class Learns(StrEnum):
    """What an optimiser takes from what it is told."""

    NOTHING = "nothing: its candidates are fixed before the first answer"
    COMPARISONS = "one comparison with the best so far an answer"
    RANKS = "the ranking of all answers"
    VALUES = "the values themselves"


def bound(nats: float, n: int, delta: float = 0.05) -> float:
    """The gap that is not exceeded with probability 1 - delta. n: tune items. At most 1: losses lie in [0, 1]."""
    if n < 1 or not 0 < delta < 1 or nats < 0:
        raise ValueError(f"a bound needs n >= 1, 0 < delta < 1 and nats >= 0: {n}, {delta}, {nats}")
    return min(1.0, math.sqrt((nats + math.log(2 / delta)) / (2 * n)))


def nats(learns: Learns, evaluations: int, restarts: int = 1) -> float | None:
    """ln of the number of traces of `restarts` runs of `evaluations` each, one of whose points is returned.

    None where the answers' values are used: nothing short of the values' own number of digits bounds that.
    """
    if evaluations < 1 or restarts < 1:
        raise ValueError(f"a search has at least one run of one evaluation: {restarts}, {evaluations}")
    if learns is Learns.VALUES and evaluations > 1:
        return None
    if learns is Learns.NOTHING or evaluations == 1:
        return math.log(evaluations * restarts)
    if learns is Learns.COMPARISONS:
        return (evaluations - 1) * math.log(2) + math.log(restarts)
    return math.lgamma(evaluations + 1) + math.log(restarts)
