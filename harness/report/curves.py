"""Sweep curves and trade-off plots with their Pareto fronts, as SVG text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from markupsafe import Markup

from harness.report.entries import Direction, Entry, number
from harness.report.rounding import digits
from harness.report.summary import Column, Row, Summary
from harness.report.svg import SERIES, Axis, axis_over, join, label, path, short, tag

MOST_AXES = 6  # metrics offered as axes of the trade-off plot: 30 drawings


@dataclass(frozen=True)
class Key:
    """A line of a legend: what has this color, and the role that chooses its mark."""

    name: str
    color: str
    role: str


@dataclass(frozen=True)
class Curve:
    """One panel: a metric over a swept parameter."""

    family: str
    parameter: str
    column: Column
    drawing: Markup
    lines: tuple[Key, ...]


@dataclass(frozen=True)
class Tradeoff:
    """One drawing of the methods by two metrics; `front` names the methods no other beats on both."""

    x: Column
    y: Column
    drawing: Markup
    front: tuple[str, ...]


def curves(summary: Summary) -> tuple[Curve, ...]:
    """For every sweep, every numeric swept parameter and every metric; lines join points equal in other parameters."""
    found = []
    for family, rows in summary.families().items():
        for parameter in dict.fromkeys(k for r in rows for k in r.point):
            values = [number(r.point.get(parameter)) for r in rows]
            if all(v is not None for v in values) and len(set(values)) > 1:
                names = line_names(rows, parameter)
                lines = tuple(Key(n, f"var(--s{i % SERIES})", "method") for i, n in enumerate(names))
                for column in summary.columns:
                    drawing = curve(summary, column, rows, parameter)
                    if drawing is not None:
                        found.append(Curve(family, parameter, column, drawing, lines))
    return tuple(found)


def curve(summary: Summary, column: Column, rows: Sequence[Row], parameter: str) -> Markup | None:
    points = [(float(r.point[parameter]), r, summary.entry(r.label, column.name)) for r in rows]
    scored = sorted(((x, r, e) for x, r, e in points if e.ok), key=lambda p: p[0])
    if len(scored) < 2:
        return None
    base = summary.entry(summary.baseline, column.name) if summary.baseline else None
    shown = [v for _, _, e in scored for v in (e.value, e.low, e.high)]
    if base is not None:
        shown += [base.value, base.low, base.high]
    x_axis = axis_over([x for x, _, _ in points], 50, 348)
    y_axis = axis_over(shown, 178, 10)
    parts = [frame(x_axis, y_axis, 50, 348, 178, 10), label(199, 214, parameter, class_="axis", text_anchor="middle")]
    if base is not None and base.value is not None:
        parts.append(baseline_band(base, summary.baseline, y_axis, 50, 348))
    lines: dict[str, list[tuple[float, Row, Entry]]] = {name: [] for name in line_names(rows, parameter)}
    for x, row, entry in scored:
        lines[others(row, parameter)].append((x, row, entry))
    for i, line in enumerate(lines.values()):
        color = f"var(--s{i % SERIES})"
        if len(line) > 1:
            band = [(x, e.high, e.low) for x, _, e in line if e.high is not None and e.low is not None]
            edge = [(x_axis(x), y_axis(h)) for x, h, _ in band] + [(x_axis(x), y_axis(w)) for x, _, w in reversed(band)]
            if len(band) > 1:
                parts.append(tag("path", d=path(edge, closed=True), class_="band", fill=color))
            spine = [(x_axis(x), y_axis(e.value)) for x, _, e in line if e.value is not None]
            parts.append(tag("path", d=path(spine), class_="line", stroke=color))
        for x, row, entry in line:
            parts.append(marker(row, entry, x_axis(x), y_axis(entry.value or 0.0), color))
    for x, row, entry in points:
        if not entry.ok:
            text = f"{row.label}: {entry.status}, {entry.reason}"
            parts.append(
                tag("g", join([tag("title", text), label(x_axis(x), 172, "×", class_="gap", text_anchor="middle")]))
            )
    name = f"{column.name} over {parameter}"
    return tag("svg", join(parts), viewBox="0 0 360 222", role="img", aria_label=name)


def others(row: Row, parameter: str) -> str:
    """The swept parameters besides one, which name the line that a point belongs to."""
    return ", ".join(f"{k}={v}" for k, v in row.point.items() if k != parameter)


def line_names(rows: Sequence[Row], parameter: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(others(r, parameter) for r in rows))


def frame(x_axis: Axis, y_axis: Axis, left: float, right: float, bottom: float, top: float) -> Markup:
    """Grid lines with their numbers."""
    parts = []
    for value, text in y_axis.ticks(4):
        y = y_axis(value)
        parts += [
            tag("line", x1=left, x2=right, y1=y, y2=y, class_="grid"),
            label(left - 7, y + 3.5, text, class_="tick", text_anchor="end"),
        ]
    for value, text in x_axis.ticks(5):
        x = x_axis(value)
        parts += [
            tag("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="rule"),
            label(x, bottom + 17, text, class_="tick", text_anchor="middle"),
        ]
    parts.append(tag("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="rule"))
    parts.append(tag("line", x1=left, x2=left, y1=top, y2=bottom, class_="grid"))
    return join(parts)


def baseline_band(base: Entry, name: str, axis: Axis, left: float, right: float) -> Markup:
    """The baseline's value as a dashed line with its interval behind it."""
    parts = []
    if base.low is not None and base.high is not None:
        top, bottom = axis(base.high), axis(base.low)
        parts.append(tag("rect", x=left, y=top, width=right - left, height=round(bottom - top, 2), class_="base-band"))
    y = axis(base.value or 0.0)
    parts.append(tag("line", x1=left, x2=right, y1=y, y2=y, class_="base"))
    parts.append(label(right - 3, y - 4, short(name), class_="base-name", text_anchor="end"))
    return join(parts)


def marker(row: Row, entry: Entry, x: float, y: float, color: str) -> Markup:
    """A point: a disc for methods, a square for baselines, a diamond for controls; hollow when inert."""
    d = digits(entry.value or 0.0, entry.low, entry.high)
    text = f"{row.label}: {entry.metric} {d.text(entry.value or 0.0)}"
    if entry.low is not None and entry.high is not None:
        text += f" [{d.text(entry.low)}, {d.text(entry.high)}]"
    style = f"fill:{'var(--paper)' if row.inert else color};stroke:{color}"
    title = tag("title", text)
    if row.role == "baseline":
        return tag("rect", title, x=x - 4, y=y - 4, width=8, height=8, style=style, class_="dot")
    if row.role == "control":
        points = f"{x},{y - 5.5} {x + 5.5},{y} {x},{y + 5.5} {x - 5.5},{y}"
        return tag("polygon", title, points=points, style=style, class_="dot")
    return tag("circle", title, cx=x, cy=y, r=4.2, style=style, class_="dot")


def tradeoffs(summary: Summary) -> tuple[Tradeoff, ...]:
    """A drawing for every ordered pair of the first metrics; the pair that pulls apart most comes first."""
    columns = [c for c in summary.columns if sum(summary.entry(r.label, c.name).ok for r in summary.rows) > 1]
    pairs = list(permutations(columns[:MOST_AXES], 2))
    pairs.sort(key=lambda p: (not (p[0].primary and p[1].primary), agreement(summary, *p)))
    return tuple(tradeoff(summary, x, y) for x, y in pairs)


def agreement(summary: Summary, x: Column, y: Column) -> float:
    """Correlation of two metrics over the rows, both oriented to better, in [-1, 1]; 2 where it says nothing."""
    sign = {Direction.HIGHER: 1.0, Direction.LOWER: -1.0}
    if x.direction not in sign or y.direction not in sign:
        return 2.0
    found = [(summary.entry(r.label, x.name).value, summary.entry(r.label, y.name).value) for r in summary.rows]
    kept = [(a * sign[x.direction], b * sign[y.direction]) for a, b in found if a is not None and b is not None]
    values = np.array(kept)
    if len(kept) < 3 or (values.std(axis=0) == 0).any():
        return 2.0
    return round(float(np.corrcoef(values.T)[0, 1]), 6)


def tradeoff(summary: Summary, x: Column, y: Column) -> Tradeoff:
    rows = [r for r in summary.rows if summary.entry(r.label, x.name).ok and summary.entry(r.label, y.name).ok]
    pairs = [(r, summary.entry(r.label, x.name), summary.entry(r.label, y.name)) for r in rows]
    left, right, bottom, top = 58.0, 546.0, 318.0, 14.0
    x_axis = axis_over([v for _, e, _ in pairs for v in (e.value, e.low, e.high)], left, right)
    y_axis = axis_over([v for _, _, e in pairs for v in (e.value, e.low, e.high)], bottom, top)
    parts = [frame(x_axis, y_axis, left, right, bottom, top)]
    parts.append(label((left + right) / 2, 358, f"{x.name} {x.direction.arrow}", class_="axis", text_anchor="middle"))
    turn = f"rotate(-90 14 {(top + bottom) / 2})"
    caption = f"{y.name} {y.direction.arrow}"
    parts.append(label(14, (top + bottom) / 2, caption, class_="axis", text_anchor="middle", transform=turn))
    front = pareto(pairs, x.direction, y.direction)
    edge = sorted((x_axis(a.value or 0.0), y_axis(b.value or 0.0)) for r, a, b in pairs if r.label in front)
    if len(edge) > 1:
        parts.append(tag("path", d=path(edge), class_="front"))
    colors = color_index(summary)
    for members in summary.families().values():
        inside = {r.label for r in members}
        spine = [(x_axis(a.value or 0.0), y_axis(b.value or 0.0)) for r, a, b in pairs if r.label in inside]
        if len(spine) > 1:
            parts.append(tag("path", d=path(spine), class_="line thin", stroke=colors[members[0].label]))
    for row, a, b in pairs:
        parts.append(cross(x_axis, y_axis, a, b, colors[row.label]))
    placed = [
        (y_axis(b.value or 0.0) + 4, x_axis(a.value or 0.0) - 4.5, 9.0) for _, a, b in pairs
    ]  # names avoid points
    for row, a, b in pairs:
        px, py = x_axis(a.value or 0.0), y_axis(b.value or 0.0)
        parts.append(marker(row, b, px, py, colors[row.label]))
        parts.append(point_name(point_label(summary, row), px, py, right, top, placed))
    name = f"{y.name} against {x.name}"
    drawing = tag("svg", join(parts), viewBox="0 0 560 370", role="img", aria_label=name)
    return Tradeoff(x, y, drawing, tuple(r.label for r, _, _ in pairs if r.label in front))


def point_label(summary: Summary, row: Row) -> str:
    """The label; of a sweep its name at the first point and only the values at the others."""
    members = summary.families().get(row.family, []) if row.point else []
    if not members:
        return row.label
    values = ", ".join(str(v) for v in row.point.values())
    return f"{row.family} {values}" if members[0].label == row.label else values


def point_name(
    text: str, x: float, y: float, right: float, top: float, placed: list[tuple[float, float, float]]
) -> Markup:
    """A point's name where it covers no other name: right of it, else left, above, below; cut when long."""
    text = short(text, 24)
    width = len(text) * 5.9
    spots = [(x + 8, y + 3.5, "start", x + 8), (x - 8, y + 3.5, "end", x - 8 - width)]
    spots += [(x, y - 9, "middle", x - width / 2), (x, y + 16, "middle", x - width / 2)]
    spots += [(x + 8, y - 8, "start", x + 8), (x + 8, y + 14, "start", x + 8)]
    spots += [(x - 8, y - 8, "end", x - 8 - width), (x - 8, y + 14, "end", x - 8 - width)]
    for tx, ty, anchor, begin in spots:
        inside = begin > 60 and begin + width < right + 12 and ty > top
        if inside and all(abs(ty - b) > 10.5 or begin > c + w or begin + width < c for b, c, w in placed):
            placed.append((ty, begin, width))
            return label(tx, ty, text, class_="name", text_anchor=anchor)
    return Markup("")


def cross(x_axis: Axis, y_axis: Axis, a: Entry, b: Entry, color: str) -> Markup:
    """Both intervals of a point."""
    px, py, parts = x_axis(a.value or 0.0), y_axis(b.value or 0.0), []
    if a.low is not None and a.high is not None:
        parts.append(tag("line", x1=x_axis(a.low), x2=x_axis(a.high), y1=py, y2=py, class_="whisker", stroke=color))
    if b.low is not None and b.high is not None:
        parts.append(tag("line", x1=px, x2=px, y1=y_axis(b.low), y2=y_axis(b.high), class_="whisker", stroke=color))
    return join(parts)


def legend(summary: Summary) -> tuple[Key, ...]:
    colors = color_index(summary)
    first = {r.family: r for r in reversed(summary.rows)}
    return tuple(Key(f, colors[first[f].label], first[f].role) for f in dict.fromkeys(r.family for r in summary.rows))


def color_index(summary: Summary) -> dict[str, str]:
    """One color a method or sweep; the baseline is drawn in the color of text."""
    families = list(dict.fromkeys(r.family for r in summary.rows if r.label != summary.baseline))
    number_of = {f: i % SERIES for i, f in enumerate(families)}
    return {
        r.label: "var(--ink)" if r.label == summary.baseline else f"var(--s{number_of[r.family]})" for r in summary.rows
    }


def pareto(pairs: Sequence[tuple[Row, Entry, Entry]], x: Direction, y: Direction) -> frozenset[str]:
    """Rows that no other row beats on both metrics, by their values; empty unless both have a better side. Inert rows
    do not compete."""
    sign = {Direction.HIGHER: 1.0, Direction.LOWER: -1.0}
    if x not in sign or y not in sign:
        return frozenset()
    points = {r.label: (sign[x] * (a.value or 0.0), sign[y] * (b.value or 0.0)) for r, a, b in pairs if not r.inert}
    return frozenset(
        m for m, (a, b) in points.items() if not any(c >= a and d >= b and (c > a or d > b) for c, d in points.values())
    )
