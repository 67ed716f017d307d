"""The account of a search: what it found against evaluations, and what that was worth on items it had not seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from harness.report.curves import Key, color_index, frame
from harness.report.entries import Entry
from harness.report.labels import Box, Labels, segment
from harness.report.rounding import count_text, digits
from harness.report.run_view import RunView
from harness.report.score_cells import Shown, one, shown
from harness.report.summary import Column, Row, Summary, method_entries
from harness.report.svg import axis_over, join, label, path, tag

METRIC = "search.gap"
LEFT, RIGHT, TOP, BOTTOM = 58.0, 546.0, 14.0, 268.0
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Traced:
    """What a row's searches were told, a seed each. online: every item was searched by itself, and scores stand here.

    best     by seed (E,) the best mean loss so far; online the mean of the items' best scores so far
    identity whether the seed's search returned the untouched model;  ties: points as good as the returned one
    """

    row: Row
    online: bool
    best: tuple[Floats, ...]
    identity: tuple[bool, ...]

    @property
    def evaluations(self) -> int:
        return max(len(b) for b in self.best)

    @property
    def mean(self) -> Floats:
        """(E,) over seeds, as far as all of them go."""
        shortest = min(len(b) for b in self.best)
        found: Floats = np.mean([b[:shortest] for b in self.best], axis=0)
        return found


@dataclass(frozen=True)
class SearchFigure:
    title: str
    note: str
    drawing: Markup
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class Level:
    """A horizontal line with a name; class_: how it is drawn."""

    value: float
    name: str
    class_: str


@dataclass(frozen=True)
class AccountLine:
    """A row of the table. A number that nobody has is empty text."""

    row: Row
    evaluations: str
    identity: Shown
    tune: Shown
    report: Shown
    gap: Shown
    bound: Shown
    ties: str
    remark: str


@dataclass(frozen=True)
class SearchAccount:
    figures: tuple[SearchFigure, ...]
    lines: tuple[AccountLine, ...]
    column: Column | None


def search_account(view: RunView, summary: Summary) -> SearchAccount | None:
    """Figures and table; None where no row searched."""
    found = traced(view, summary)
    if not any(t.evaluations > 1 for t in found):
        return None
    column = next((c for c in summary.columns if c.name.split(" ")[0] == METRIC), None)
    offline, online = [t for t in found if not t.online], [t for t in found if t.online]
    figures = []
    if any(t.evaluations > 1 for t in offline):
        figures.append(offline_figure(view, summary, column, offline))
    if online:
        figures.append(online_figure(summary, online))
    lines = tuple(account_line(summary, column, t) for t in found)
    return SearchAccount(tuple(figures), lines if column is not None else (), column)


def traced(view: RunView, summary: Summary) -> list[Traced]:
    """Rows with a stored search, in the order of the table."""
    found = []
    for row in summary.rows:
        cells = view.cells[(view.cells["method"] == row.label) & (view.cells["status"] == "ok")]
        each = [read(view, str(c)) for c in cells["cell"]]
        known = [e for e in each if e is not None]
        if known:
            found.append(Traced(row, known[0][0], tuple(b for _, b, _ in known), tuple(i for _, _, i in known)))
    return found


def read(view: RunView, cell: str) -> tuple[bool, Floats, bool] | None:
    """(online, best so far, returned the identity) of a cell's search, None where it has none."""
    try:
        arrays = view.search(cell)
    except (KeyError, OSError, ValueError):
        return None
    if "losses" in arrays:
        means = np.asarray(arrays["losses"], dtype=np.float64).mean(axis=1)
        return False, np.minimum.accumulate(means), int(arrays["chosen"]) == 0
    if "best" in arrays:
        best = np.asarray(arrays["best"], dtype=np.float64)
        return True, best.mean(axis=0), bool((best[:, -1] == best[:, 0]).all())
    return None


def beside(summary: Summary, column: Column | None, row: Row, name: str) -> Entry | None:
    """A companion of the gap, or None without a value."""
    if column is None:
        return None
    entry = summary.entry(row.label, f"{column.name}.{name}" if name else column.name)
    return entry if entry.ok else None


def offline_figure(view: RunView, summary: Summary, column: Column | None, found: Sequence[Traced]) -> SearchFigure:
    """Best tune loss so far of every row; a ring is the loss of the same point on the report items."""
    searched = [t for t in found if t.evaluations > 1]
    reports = {t.row.label: e.value for t in found if (e := beside(summary, column, t.row, "report")) is not None}
    known = [v for v in reports.values() if v is not None]
    x_axis, y_axis = axes(searched, known)
    colors = color_index(summary)
    levels = [Level(untouched(searched), "untouched, tune items", "base")]
    if (base := reports.get(summary.baseline)) is not None and all(t.row.label != summary.baseline for t in searched):
        levels.append(Level(base, f"{summary.baseline}, report items", "base report-base"))
    rings = [(x_axis(t.evaluations), y_axis(v)) for t in searched if (v := reports.get(t.row.label)) is not None]
    parts, keys = draw(summary, searched, known, "best tune loss so far", levels, rings)
    for budgets in budget_sweeps(view, [t for t in searched if reports.get(t.row.label) is not None]):
        spine = [(x_axis(t.evaluations), y_axis(reports[t.row.label] or 0.0)) for t in budgets]
        parts.append(tag("path", d=path(spine), class_="report-line", stroke=colors[budgets[0].row.label]))
    for t in searched:
        if (value := reports.get(t.row.label)) is None:
            continue
        x, y, tune = x_axis(t.evaluations), y_axis(value), y_axis(float(t.mean[-1]))
        color = colors[t.row.label]
        text = f"{t.row.label}: report loss {digits(value).text(value)} after {t.evaluations} evaluations"
        parts.append(tag("line", x1=x, x2=x, y1=tune, y2=y, class_="gap-line", stroke=color))
        parts.append(tag("circle", tag("title", text), cx=x, cy=y, r=4.4, class_="ring", stroke=color))
    note = "Steps: the best mean loss on the tune items so far, the mean over seeds; thin lines are single seeds."
    if reports:
        note += " Rings: the returned point on the report items, by the same judge; from ring to step is the gap."
    drawing = tag("svg", join(parts), viewBox="0 0 560 320", role="img", aria_label="Tune loss against evaluations")
    return SearchFigure("Best tune loss against evaluations", note, drawing, keys)


def online_figure(summary: Summary, found: Sequence[Traced]) -> SearchFigure:
    levels = [Level(untouched(found), "untouched", "base")]
    parts, keys = draw(summary, found, [], "mean best score so far", levels)
    note = "Every item is searched by itself: the mean over items of the best score so far, by the judge of the search."
    drawing = tag("svg", join(parts), viewBox="0 0 560 320", role="img", aria_label="Best score against evaluations")
    return SearchFigure("Best score against evaluations, item by item", note, drawing, keys)


def axes(found: Sequence[Traced], more: Sequence[float]) -> tuple[Any, Any]:
    values = [float(v) for t in found for b in t.best for v in (b[0], b[-1])]
    return (
        axis_over([1, *(t.evaluations for t in found)], LEFT, RIGHT),
        axis_over([*values, *more], BOTTOM, TOP),
    )


def untouched(found: Sequence[Traced]) -> float:
    """What the searches started from: the mean of their first answers."""
    return float(np.mean([b[0] for t in found for b in t.best]))


def draw(
    summary: Summary,
    found: Sequence[Traced],
    more: Sequence[float],
    axis_name: str,
    levels: Sequence[Level],
    rings: Sequence[tuple[float, float]] = (),
) -> tuple[list[Markup], tuple[Key, ...]]:
    """Frame, named levels and the steps of every row, with the keys of their colors. Names keep clear of the rings."""
    x_axis, y_axis = axes(found, more)
    colors = color_index(summary)
    middle = (TOP + BOTTOM) / 2
    parts = [
        frame(x_axis, y_axis, LEFT, RIGHT, BOTTOM, TOP),
        label((LEFT + RIGHT) / 2, 308, "evaluations", class_="axis", text_anchor="middle"),
        label(14, middle, axis_name, class_="axis", text_anchor="middle", transform=f"rotate(-90 14 {middle})"),
    ]
    names = Labels(Box(LEFT, TOP - 8, RIGHT, BOTTOM))
    for x, y in [*rings, *((x_axis(len(t.mean)), y_axis(float(t.mean[-1]))) for t in found)]:
        names.keep_clear(x, y, 6.0)
    for t in found:
        corners = [steps(b, x_axis, y_axis) for b in (t.mean, *t.best)]
        names.lines += [box for c in corners for a, z in pairwise(c) for box in segment(a, z)]
    ys = [y_axis(level.value) for level in levels]
    names.lines += [box for y in ys for box in segment((LEFT, y), (RIGHT, y))]
    parts += [tag("line", x1=LEFT, x2=RIGHT, y1=y, y2=y, class_=x.class_) for x, y in zip(levels, ys, strict=True)]
    for t in found:
        color = colors[t.row.label]
        if len(t.best) > 1:
            parts += [
                tag("path", d=path(steps(b, x_axis, y_axis)), class_="line seed-line", stroke=color) for b in t.best
            ]
        last = float(t.mean[-1])
        text = f"{t.row.label}: {digits(last).text(last)} after {t.evaluations} evaluations"
        parts.append(
            tag(
                "g",
                tag("path", d=path(steps(t.mean, x_axis, y_axis)), class_="line", stroke=color) + tag("title", text),
            )
        )
        parts.append(
            tag("circle", tag("title", text), cx=x_axis(len(t.mean)), cy=y_axis(last), r=3.2, style=f"fill:{color}")
        )
    parts += [names.along(x.name, y, RIGHT - 44, class_="base-name") for x, y in zip(levels, ys, strict=True)]
    return parts, tuple(Key(t.row.label, colors[t.row.label], t.row.role) for t in found)


def steps(best: Floats, x_axis: Any, y_axis: Any) -> list[tuple[float, float]]:
    """Corners of a step line: one pair where the best changes, and the ends."""
    points = [(x_axis(1), y_axis(float(best[0])))]
    for i in np.flatnonzero(np.diff(best)) + 1:
        points += [(x_axis(i + 1), points[-1][1]), (x_axis(i + 1), y_axis(float(best[i])))]
    return [*points, (x_axis(len(best)), points[-1][1])]


def budget_sweeps(view: RunView, found: Sequence[Traced]) -> list[list[Traced]]:
    """Rows of one method that differ in nothing but `budget`, in its order; at least two each."""
    presets = {m: str(about.get("preset") or m) for m, about in method_entries(view).items()}
    groups: dict[str, list[Traced]] = {}
    for t in found:
        if "budget" in t.row.params:
            rest = {k: v for k, v in t.row.params.items() if k != "budget"}
            key = presets.get(t.row.label, t.row.family) + json.dumps(rest, sort_keys=True, default=str)
            groups.setdefault(key, []).append(t)
    found_ = [sorted(g, key=lambda t: (t.row.params["budget"], t.row.label)) for g in groups.values()]
    return [g for g in found_ if len({t.row.params["budget"] for t in g}) > 1]


def account_line(summary: Summary, column: Column | None, t: Traced) -> AccountLine:
    entries: Mapping[str, Entry | None] = {
        name: beside(summary, column, t.row, name) for name in ("identity", "tune", "report", "", "bound", "ties")
    }
    cells = {
        k: shown(e.value, e.low, e.high, signed=not k) if e is not None else Shown(None, "") for k, e in entries.items()
    }
    ties = entries["ties"]
    return AccountLine(
        row=t.row,
        evaluations=count_text(t.evaluations) + (f" {one(summary.item)}" if t.online else ""),
        identity=cells["identity"],
        tune=cells["tune"],
        report=cells["report"],
        gap=cells[""],
        bound=cells["bound"],
        ties="" if ties is None or ties.value is None else count_text(ties.value),
        remark=remark(summary, t, entries["bound"]),
    )


def remark(summary: Summary, t: Traced, bound: Entry | None) -> str:
    """What the numbers mean, in plain sentences."""
    said = []
    if t.online:
        said.append(f"Each {summary.item} was searched by itself; nothing was chosen on tune items.")
    if t.evaluations == 1:
        return "Asked once, for the model as it is."
    kept = sum(t.identity)
    if kept == len(t.identity):
        said.append("Nothing better than the identity was found.")
    elif kept:
        said.append(f"Nothing better than the identity was found in {kept} of {len(t.identity)} seeds.")
    if bound is not None and bound.value is not None and bound.value >= 1:
        said.append("The bound promises nothing.")
    return " ".join(said)


def account_rows(account: SearchAccount) -> list[list[str]]:
    """The table as text, for Markdown."""

    def words(s: Shown) -> str:
        return s.text + (f" [{s.low_text}, {s.high_text}]" if s.low is not None else "")

    return [
        [
            x.row.label,
            x.evaluations,
            *(words(s) for s in (x.identity, x.tune, x.report, x.gap, x.bound)),
            x.ties,
            x.remark,
        ]
        for x in account.lines
    ]
