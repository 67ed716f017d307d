"""Forest plots of paired differences: geometry in per cent, so that a row is as wide as its place in the page."""

from __future__ import annotations

from dataclasses import dataclass

from harness.report.entries import Clarity, Delta, Tone, relative
from harness.report.rounding import MINUS, p_text
from harness.report.summary import Column, Row, Summary
from harness.report.svg import Axis, axis_over
from harness.report.verdicts import better_side, delta_text


@dataclass(frozen=True)
class ForestRow:
    """One whisker. x, low, high in per cent of the width; numbers and note are the text beside it."""

    row: Row
    against: str
    tone: Tone
    hollow: bool
    x: float
    low: float | None
    high: float | None
    numbers: str
    note: str
    delta: Delta


@dataclass(frozen=True)
class Forest:
    """One metric's panel. silent: rows without a difference, and why (row, status, reason)."""

    column: Column
    axis: Axis
    zero: float
    rows: tuple[ForestRow, ...]
    silent: tuple[tuple[Row, str, str], ...]
    side: str


def forests(summary: Summary) -> tuple[Forest, ...]:
    """One panel a metric that has differences, primary metrics first."""
    return tuple(f for c in summary.columns if (f := forest(summary, c)) is not None)


def forest(summary: Summary, column: Column) -> Forest | None:
    found: list[tuple[Row, Delta]] = []
    silent: list[tuple[Row, str, str]] = []
    for row in summary.rows:
        entry = summary.entry(row.label, column.name)
        deltas = [d for d in (entry.delta, *summary.comparisons.get((row.label, column.name), ())) if d is not None]
        found += [(row, d) for d in deltas]
        if not entry.ok:
            silent.append((row, entry.status, entry.reason))
    if not found:
        return None
    axis = axis_over([v for _, d in found for v in (d.value, d.low, d.high)], 2.0, 98.0, include=(0.0,))
    rows = tuple(forest_row(summary, column, row, delta, axis) for row, delta in found)
    return Forest(column, axis, axis(0.0), rows, tuple(silent), better_side(column.direction))


def forest_row(summary: Summary, column: Column, row: Row, delta: Delta, axis: Axis) -> ForestRow:
    notes = []
    if (share := relative(delta, summary.entry(delta.against, column.name))) is not None and abs(share) < 10:
        notes.append(f"{'+' if share >= 0 else MINUS}{abs(share) * 100:.2g} % of {delta.against}")
    if delta.p_holm is not None:
        notes.append(f"p (Holm) {equals(delta.p_holm)}")
    elif delta.p is not None:
        notes.append(f"p {equals(delta.p)}, uncorrected")
    if delta.clarity is Clarity.HINT:
        notes.append("the interval excludes 0, the corrected test does not")
    return ForestRow(
        row=row,
        against="" if delta.against == summary.baseline else delta.against,
        tone=summary.tone(column, delta),
        hollow=delta.clarity is Clarity.HINT,
        x=axis(delta.value),
        low=None if delta.low is None else axis(delta.low),
        high=None if delta.high is None else axis(delta.high),
        numbers=delta_text(delta),
        note="; ".join(notes),
        delta=delta,
    )


def equals(p: float) -> str:
    text = p_text(p)
    return text if text.startswith("<") else f"= {text}"
