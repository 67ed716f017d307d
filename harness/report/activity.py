"""What the methods did while they ran: one small curve a recorded quantity (share of items changed, tries)."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from harness.report.entries import number, text
from harness.report.rounding import digits
from harness.report.run_view import RunView
from harness.report.summary import Summary, json_of
from harness.report.svg import path, tag


@dataclass(frozen=True)
class Trace:
    """Mean over a method's finished cells at each step. None where no cell recorded the step."""

    method: str
    inert: bool
    quantity: str
    values: tuple[float | None, ...]
    cells: int

    @property
    def mean(self) -> float | None:
        known = [v for v in self.values if v is not None]
        return sum(known) / len(known) if known else None

    @property
    def mean_text(self) -> str:
        return "–" if self.mean is None else digits(round(self.mean, 4)).text(self.mean)

    @property
    def range_text(self) -> str:
        known = [v for v in self.values if v is not None]
        if not known:
            return "–"
        ends = [digits(round(v, 3)).text(round(v, 3)) for v in (min(known), max(known))]
        return ends[0] if ends[0] == ends[1] else f"{ends[0]} – {ends[1]}"

    @property
    def drawing(self) -> Markup:
        """A sparkline from 0 to the largest value, at least 1 for shares."""
        known = [v for v in self.values if v is not None]
        top = max([*known, 1e-12]) if max(known, default=0.0) > 1 else 1.0
        low = min([0.0, *known])
        width = max(len(self.values) - 1, 1)
        points = [
            (round(2 + 116 * i / width, 2), round(25 - 22 * (v - low) / (top - low), 2))
            for i, v in enumerate(self.values)
            if v is not None
        ]
        if len(points) == 1:
            points = [(2.0, points[0][1]), (118.0, points[0][1])]
        if not points:
            return Markup("")
        area = path([(points[0][0], 26.0), *points, (points[-1][0], 26.0)], closed=True)
        inside = tag("path", d=area, class_="spark-area") + tag("path", d=path(points), class_="spark-line")
        floor = tag("line", x1=2, x2=118, y1=26, y2=26, class_="grid")
        name = f"{self.quantity} of {self.method} over {len(self.values)} steps, mean {self.mean_text}"
        return tag("svg", floor + inside, viewBox="0 0 120 28", role="img", aria_label=name, class_="spark")


def traces(view: RunView, summary: Summary) -> tuple[Trace, ...]:
    """Recorded quantities by method, in the order of the table."""
    recorded: dict[tuple[str, str], list[list[float | None]]] = {}
    for row in view.cells.itertuples(index=False):
        if row.status != "ok":
            continue
        for quantity, values in json_of(row.activity).items():
            series = values if isinstance(values, list) else [values]
            recorded.setdefault((text(row.method), quantity), []).append([number(v) for v in series])
    inert = {r.label: r.inert for r in summary.rows}
    found = []
    for label in inert:
        for (method, quantity), cells in recorded.items():
            if method == label:
                steps = range(max(len(c) for c in cells))
                found.append(Trace(label, inert[label], quantity, tuple(mean_at(cells, i) for i in steps), len(cells)))
    return tuple(found)


def mean_at(cells: list[list[float | None]], step: int) -> float | None:
    known = [v for c in cells if step < len(c) and (v := c[step]) is not None]
    return sum(known) / len(known) if known else None
