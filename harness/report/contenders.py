"""Which values of a column are bold: those that cannot be told from the best one, if anything can.

Two methods are told apart by the strongest evidence in the frame: the paired test between them where one is the other's
baseline (Holm-corrected p below .05, or the interval where there is no p); else disjoint 95 % intervals of their paired
differences from a baseline they share; else disjoint intervals of the values. Disjoint intervals are the stricter
demand, so more rather than fewer values are bold. Where nothing can be told from the best, nothing is bold.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.entries import Clarity, Direction, Entry

RULE = (
    "Bold: the best value of a column and every value that cannot be told from it. Two methods are told apart by their "
    "paired, Holm-corrected test where one is the other's baseline, otherwise by disjoint 95 % intervals of their "
    "paired differences from the same baseline (or of their values where no difference exists). A column in which "
    "nothing can be told from the best has no bold. Rows flagged inert do not compete; controls do, so that a control "
    "that wins is seen."
)


def contenders(entries: Sequence[Entry], direction: Direction, ideal: float | None = None) -> frozenset[str]:
    """Methods whose value is bold. `entries`: the column's rows that compete (no inert ones); order is free."""
    scored = [e for e in entries if e.ok]
    if len(scored) < 2 or direction is Direction.NONE or (direction is Direction.TARGET and ideal is None):
        return frozenset()
    best = min(scored, key=lambda e: loss(e, direction, ideal))
    tied = [e for e in scored if e is best or not told_apart(best, e, direction, ideal)]
    return frozenset(e.method for e in tied) if len(tied) < len(scored) else frozenset()


def loss(entry: Entry, direction: Direction, ideal: float | None) -> float:
    """The value oriented so that less is better."""
    value = entry.value if entry.value is not None else float("inf")
    if direction is Direction.TARGET:
        return abs(value - (ideal or 0.0))
    return -value if direction is Direction.HIGHER else value


def told_apart(one: Entry, other: Entry, direction: Direction, ideal: float | None = None) -> bool:
    """Whether the frame shows that two scored entries of one column differ."""
    if direction is Direction.TARGET:
        return disjoint(distances(one, ideal or 0.0), distances(other, ideal or 0.0))
    for a, b in ((one, other), (other, one)):
        if b.delta is not None and b.delta.against == a.method:
            return b.delta.clarity is Clarity.CLEAR
    if one.delta is not None and other.delta is not None and one.delta.against == other.delta.against:
        return disjoint((one.delta.low, one.delta.high), (other.delta.low, other.delta.high))
    return disjoint((one.low, one.high), (other.low, other.high))


def disjoint(one: tuple[float | None, float | None], other: tuple[float | None, float | None]) -> bool:
    """Whether two intervals share no point; False where a bound is unknown."""
    (a, b), (c, d) = one, other
    if a is None or b is None or c is None or d is None:
        return False
    return b < c or d < a


def distances(entry: Entry, ideal: float) -> tuple[float | None, float | None]:
    """The interval of the distance from the ideal value."""
    if entry.low is None or entry.high is None:
        return None, None
    ends = abs(entry.low - ideal), abs(entry.high - ideal)
    return (0.0 if entry.low <= ideal <= entry.high else min(ends)), max(ends)
