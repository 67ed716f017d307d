"""Protection against picture change: what a row buys, and what it pays for it, a line for every sweep.

Both are metrics of the frame with both intervals. Pictures change more to the right, protection grows upwards, so that
a row is better the farther it stands up and left. Controls of the same change (matched noise) stand in the drawing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from markupsafe import Markup

from harness.report.curves import Key, color_index, cross, frame, marker
from harness.report.entries import Direction, Entry, number
from harness.report.labels import Box, Labels, segment
from harness.report.score_cells import shown
from harness.report.summary import Column, Row, Summary
from harness.report.svg import Axis, axis_over, join, label, path, tag

PROTECTS = re.compile(r"(ver\.dodge_cond|transfer)\.")
FIRST = "transfer.black"  # what holds against strangers, where the suite asks for it
CHANGES = re.compile(r"(ssim|ms_ssim|psnr|dssim|linf|l2)\b|(pd|lpips)\..+\.source\b")
FAR = 0.35  # a lone control that changes pictures by so much more than every method would squeeze them: left out
MOST_PROTECTS, MOST_CHANGES = 10, 4  # metrics to choose from: 40 drawings
LEFT, RIGHT, TOP, BOTTOM = 58.0, 636.0, 16.0, 348.0


@dataclass(frozen=True)
class Point:
    """A row at a picture change x with a protection y."""

    row: Row
    x: Entry
    y: Entry

    @property
    def at(self) -> tuple[float, float]:
        return self.x.value or 0.0, self.y.value or 0.0


@dataclass(frozen=True)
class Price:
    """One drawing. left_out: rows without one of the two values, and why."""

    change: Column
    protects: Column
    drawing: Markup
    keys: tuple[Key, ...]
    left_out: tuple[tuple[Row, str], ...]


def prices(summary: Summary) -> tuple[Price, ...]:
    """A drawing for every protection and every picture change; none unless at least two rows have both."""
    protects = [c for c in summary.columns if PROTECTS.match(c.name) and c.direction is Direction.HIGHER]
    protects.sort(key=lambda c: not c.name.startswith(FIRST))
    changes = [c for c in summary.columns if CHANGES.match(c.name)]
    pairs = product(protects[:MOST_PROTECTS], changes[:MOST_CHANGES])
    return tuple(p for y, x in pairs if (p := price(summary, x, y)) is not None)


def price(summary: Summary, change: Column, protects: Column) -> Price | None:
    every = [Point(r, summary.entry(r.label, change.name), summary.entry(r.label, protects.name)) for r in summary.rows]
    points = [p for p in every if p.x.ok and p.y.ok]
    if len(points) < 2:
        return None
    left_out = [(p.row, why(p)) for p in every if not (p.x.ok and p.y.ok)]
    left_out += [(p.row, f"{change.name} {shown(p.x.value).text}, far to the right") for p in beyond(change, points)]
    points = [p for p in points if p not in beyond(change, points)]
    x_axis, y_axis = axes(change, points)
    colors = color_index(summary)
    parts = [frame(x_axis, y_axis, LEFT, RIGHT, BOTTOM, TOP), *axis_names(change, protects)]
    spines = {name: line for name, line in sweeps(points).items() if len(line) > 1}
    labels = Labels(Box(LEFT + 3, TOP - 6, RIGHT + 30, BOTTOM - 2))
    for line in spines.values():
        corners = [(x_axis(p.at[0]), y_axis(p.at[1])) for p in line]
        role = " control-line" if line[0].row.role == "control" else ""
        parts.append(tag("path", d=path(corners), class_=f"line{role}", stroke=colors[line[0].row.label]))
        labels.lines += [b for a, z in pairwise(corners) for b in segment(a, z)]
    parts += [cross(x_axis, y_axis, p.x, p.y, colors[p.row.label]) for p in points]
    for p in points:
        x, y = x_axis(p.at[0]), y_axis(p.at[1])
        parts.append(marker(p.row, p.y, x, y, colors[p.row.label]))
        labels.keep_clear(x, y)
    names = point_names(points, spines)
    for p in sorted(points, key=lambda p: -len(names[p.row.label])):
        parts.append(labels.beside(names[p.row.label], x_axis(p.at[0]), y_axis(p.at[1])))
    title = f"{protects.name} against {change.name}"
    drawing = tag("svg", join(parts), viewBox="0 0 680 404", role="img", aria_label=title)
    first = {p.row.family: p.row for p in reversed(points)}
    keys = tuple(Key(f, colors[first[f].label], first[f].role) for f in dict.fromkeys(p.row.family for p in points))
    return Price(change, protects, drawing, keys, tuple(left_out))


def beyond(change: Column, points: Sequence[Point]) -> list[Point]:
    """Controls outside any sweep that change pictures far more than what they are compared with."""
    sign = -1.0 if change.direction is Direction.HIGHER else 1.0
    lone = [p for p in points if p.row.role == "control" and not p.row.point]
    inside = [sign * p.at[0] for p in points if p not in lone]
    if len(inside) < 2 or max(inside) == min(inside):
        return []
    edge = max(inside) + FAR * (max(inside) - min(inside))
    return [p for p in lone if sign * p.at[0] > edge]


def axes(change: Column, points: Sequence[Point]) -> tuple[Axis, Axis]:
    """Picture change to the right: a similarity, where higher is less change, runs from high to low."""
    ends = (RIGHT, LEFT) if change.direction is Direction.HIGHER else (LEFT, RIGHT)
    return (
        axis_over([v for p in points for v in (p.x.value, p.x.low, p.x.high)], *ends),
        axis_over([v for p in points for v in (p.y.value, p.y.low, p.y.high)], BOTTOM, TOP),
    )


def axis_names(change: Column, protects: Column) -> list[Markup]:
    middle, turn = (TOP + BOTTOM) / 2, f"rotate(-90 14 {(TOP + BOTTOM) / 2})"
    unit = f", {change.unit}" if change.unit and change.unit.lower() not in change.name.lower() else ""
    return [
        label((LEFT + RIGHT) / 2, 392, f"{change.name}{unit}: change grows →", class_="axis", text_anchor="middle"),
        label(14, middle, f"{protects.name} ↑", class_="axis", text_anchor="middle", transform=turn),
    ]  # fmt: skip


def sweeps(points: Sequence[Point]) -> dict[str, list[Point]]:
    """Points by line: a method at the values of one swept parameter, equal in all others, in the parameter's order."""
    found: dict[str, list[Point]] = {}
    for p in points:
        swept = swept_parameter(p.row, points)
        rest = ", ".join(f"{k}={v}" for k, v in p.row.point.items() if k != swept)
        found.setdefault(f"{p.row.family} {rest}".strip(), []).append(p)
    for line in found.values():
        swept = swept_parameter(line[0].row, points)
        line.sort(key=lambda p: number(p.row.point.get(swept)) or 0.0)
    return found


def swept_parameter(row: Row, points: Sequence[Point]) -> str:
    """The first parameter of the row's sweep with several numbers; "" outside a sweep."""
    for key in row.point:
        values = {number(p.row.point.get(key)) for p in points if p.row.family == row.family}
        if None not in values and len(values) > 1:
            return key
    return ""


def point_names(points: Sequence[Point], spines: dict[str, list[Point]]) -> dict[str, str]:
    """A point's name: the values of its sweep, with the method's name at the first of a line; else the row's label."""
    found = {p.row.label: values_of(p.row) or p.row.label for p in points}
    for line in spines.values():
        for i, p in enumerate(line):
            found[p.row.label] = f"{p.row.family} {values_of(p.row)}" if i == 0 else values_of(p.row)
    return found


def values_of(row: Row) -> str:
    return ", ".join(str(v) for v in row.point.values())


def why(point: Point) -> str:
    """Status and reason of the value that is missing."""
    entry = point.x if not point.x.ok else point.y
    return f"{entry.metric} {entry.status}" + (f", {entry.reason}" if entry.reason else "")
