"""One score as a table shows it: a value with its interval, or a status with its reason; and its paired difference.

Numbers that are not there are None here, never NaN or 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ALPHA = 0.05  # family-wise, statistics.md


class Direction(StrEnum):
    HIGHER = "higher"
    LOWER = "lower"
    TARGET = "target"
    NONE = "none"

    @property
    def arrow(self) -> str:
        return {"higher": "↑", "lower": "↓", "target": "◎", "none": ""}[self.value]

    @property
    def words(self) -> str:
        return {
            "higher": "higher is better",
            "lower": "lower is better",
            "target": "closer to its ideal value is better",
            "none": "shown, not ranked",
        }[self.value]


class Clarity(StrEnum):
    """What a paired difference shows."""

    CLEAR = "clear"  # Holm-corrected p below ALPHA; the interval excludes zero where no p was computed
    HINT = "hint"  # the interval excludes zero, the corrected p does not
    UNCLEAR = "unclear"


class Tone(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    CHANGED = "changed"  # a clear change of a metric without a good side
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Delta:
    """A paired difference from `against`, with its 95 % interval and p-values where they exist."""

    against: str
    value: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None

    @property
    def excludes_zero(self) -> bool:
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def clarity(self) -> Clarity:
        corrected = self.p_holm if self.p_holm is not None else self.p
        if corrected is not None and self.value != 0:
            if corrected < ALPHA:
                return Clarity.CLEAR
            return Clarity.HINT if self.excludes_zero else Clarity.UNCLEAR
        return Clarity.CLEAR if self.excludes_zero else Clarity.UNCLEAR


@dataclass(frozen=True)
class Entry:
    """One (method, metric) of the aggregate. `value` is None exactly when status is not ok."""

    method: str
    metric: str
    metric_id: str
    value: float | None
    low: float | None
    high: float | None
    n: int | None
    ci_method: str
    status: str
    reason: str
    delta: Delta | None = None

    @property
    def ok(self) -> bool:
        return self.value is not None


def entry_of(row: Mapping[str, Any]) -> Entry:
    """An entry from a row of the scores frame. A value under a status other than ok is not shown."""
    status = text(row["status"]) or "undefined"
    value = number(row["value"]) if status == "ok" else None
    reason = text(row["reason"])
    if status == "ok" and value is None:
        status, reason = "undefined", reason or "the frame has no value although its status is ok"
    return Entry(
        method=text(row["method"]),
        metric=text(row["metric"]),
        metric_id=text(row["metric_id"]) or text(row["metric"]),
        value=value,
        low=number(row["ci_low"]) if value is not None else None,
        high=number(row["ci_high"]) if value is not None else None,
        n=None if (n := number(row["n"])) is None else int(n),
        ci_method=text(row["ci_method"]),
        status=status,
        reason=reason,
        delta=delta_of(row) if value is not None else None,
    )


def delta_of(row: Mapping[str, Any]) -> Delta | None:
    """The paired difference of a row of scores or comparisons; None where there is none."""
    against, value = text(row["baseline"]), number(row["delta"])
    if not against or value is None:
        return None
    low, high = number(row["delta_ci_low"]), number(row["delta_ci_high"])
    return Delta(against, value, low, high, number(row["p_value"]), number(row["p_holm"]))


def number(value: Any) -> float | None:
    """A finite float, or None for whatever else a frame may hold in its place."""
    if value is None or isinstance(value, str):
        return None
    try:
        result = float(value)
    except (TypeError, ValueError):  # pandas.NA among others
        return None
    return result if math.isfinite(result) else None


def text(value: Any) -> str:
    """A frame's text; "" for a missing one."""
    return value if isinstance(value, str) else "" if number(value) is None else str(value)


def tone(delta: Delta, direction: Direction, base: float | None = None, ideal: float | None = None) -> Tone:
    """Whether a difference is for the better. A hint has the tone of its side; the caller draws it hollow.

    direction target: only where value and base lie on one side of the ideal can more or less be called better.
    """
    if delta.clarity is Clarity.UNCLEAR:
        return Tone.UNCLEAR
    if direction is Direction.HIGHER:
        return Tone.BETTER if delta.value > 0 else Tone.WORSE
    if direction is Direction.LOWER:
        return Tone.BETTER if delta.value < 0 else Tone.WORSE
    if direction is Direction.TARGET and base is not None and ideal is not None:
        before, after = base - ideal, base + delta.value - ideal
        if before * after >= 0:
            return Tone.BETTER if abs(after) < abs(before) else Tone.WORSE
    return Tone.CHANGED


def relative(delta: Delta, base: Entry | None) -> float | None:
    """The difference as a share of the baseline's value; None unless that value is at least twice its half-width."""
    if base is None or base.value is None or base.low is None or base.high is None or base.value == 0:
        return None
    half = max(base.value - base.low, base.high - base.value)
    return delta.value / abs(base.value) if abs(base.value) >= 2 * half else None
