"""The table of a run: methods as rows, metrics as columns, aggregates over seeds in the cells.

HTML, Markdown and the terminal draw this one object, so they cannot disagree.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.report.contenders import contenders
from harness.report.entries import Delta, Direction, Entry, Tone, delta_of, entry_of, number, text, tone
from harness.report.run_view import RunView
from harness.scoring.columns import AGGREGATE

ROLES = ("baseline", "method", "control")


@dataclass(frozen=True)
class Column:
    """A metric. `metric_id` is the full id shared by every number of the column.

    n           the n common to all rows, or None where it differs (then each cell shows its own)
    companions  names of the metrics `<name>.<part>` to be read beside it
    family      number of comparisons in the Holm family its p-values belong to
    """

    name: str
    metric_id: str
    unit: str
    direction: Direction
    ideal: float | None
    primary: bool
    n: int | None
    companions: tuple[str, ...]
    estimator: str = ""
    help: str = ""
    source: str = ""
    ci_methods: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cost:
    """Mean over a method's finished cells, an image where images were counted, else a cell; the peak is the largest."""

    seconds: float | None
    calls: float | None
    evaluations: float | None
    memory_mb: float | None
    per: str


@dataclass(frozen=True)
class Row:
    """A method with its parameters.

    family, point  label without the sweep point, and the swept parameters with their values (empty outside a sweep)
    done, planned  cells that are ok, and all cells
    gaps           (seed, status, reason) of the cells that are not ok
    """

    label: str
    role: str
    params: Mapping[str, Any]
    flags: frozenset[str]
    family: str
    point: Mapping[str, Any]
    done: int
    planned: int
    gaps: tuple[tuple[str, str, str], ...]
    cost: Cost

    @property
    def inert(self) -> bool:
        return "inert" in self.flags


@dataclass(frozen=True)
class Summary:
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    entries: Mapping[tuple[str, str], Entry]
    bold: Mapping[str, frozenset[str]]
    baseline: str
    comparisons: Mapping[tuple[str, str], tuple[Delta, ...]] = field(default_factory=dict)
    family_primary: int = 0
    family_secondary: int = 0
    item: str = "image"
    cluster: str = "prompt"

    @property
    def primary(self) -> tuple[Column, ...]:
        return tuple(c for c in self.columns if c.primary)

    @property
    def secondary(self) -> tuple[Column, ...]:
        return tuple(c for c in self.columns if not c.primary)

    def entry(self, method: str, metric: str) -> Entry:
        """The score, or an entry that says that the frame has none."""
        found = self.entries.get((method, metric))
        return found or Entry(
            method, metric, metric, None, None, None, None, "", "not-run", "no row in the scores frame"
        )

    def tone(self, column: Column, delta: Delta) -> Tone:
        return tone(delta, column.direction, self.entry(delta.against, column.name).value, column.ideal)

    def families(self) -> dict[str, list[Row]]:
        """Rows of each sweep with at least two points, by label without the point."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            if row.point:
                found.setdefault(row.family, []).append(row)
        return {k: v for k, v in found.items() if len(v) > 1}


def summarise(view: RunView) -> Summary:
    """The table of the run's aggregate rows."""
    scores = view.table_scores
    records = [dict(zip(scores.columns, r, strict=True)) for r in scores.itertuples(index=False, name=None)]
    aggregate = [r for r in records if str(r["seed"]) == AGGREGATE]
    entries = {(e.method, e.metric): e for e in map(entry_of, aggregate)}
    columns = columns_of(view, aggregate, entries)
    rows = rows_of(view, records)
    for row in rows:  # a method without an aggregate says why: the first of its cells that is not ok
        for column in columns:
            if (row.label, column.name) not in entries and row.gaps:
                _, status, reason = row.gaps[0]
                key = (row.label, column.name)
                entries[key] = Entry(*key, column.metric_id, None, None, None, None, "", status, reason)
    racing = [r.label for r in rows if not r.inert]
    bold = {
        c.name: contenders([entries[k] for m in racing if (k := (m, c.name)) in entries], c.direction, c.ideal)
        for c in columns
    }
    primary = {c.name for c in columns if c.primary}
    tested = [e.metric in primary for e in entries.values() if e.delta is not None and e.delta.p_holm is not None]
    return Summary(
        columns=columns,
        rows=rows,
        entries=entries,
        bold=bold,
        baseline=baseline_of(view, entries.values()),
        comparisons=comparisons_of(view),
        family_primary=sum(tested),
        family_secondary=len(tested) - sum(tested),
        item=str(view.suite.get("item") or "image"),
        cluster=str(view.suite.get("cluster") or "prompt"),
    )


def baseline_of(view: RunView, entries: Iterable[Entry]) -> str:
    """What the suite compares with; else the baseline that most differences name; "" where there is none."""
    stated = view.suite.get("compare_to")
    if isinstance(stated, str) and stated:
        return stated
    named = [e.delta.against for e in entries if e.delta is not None]
    return max(set(named), key=named.count) if named else ""


def metric_entries(view: RunView) -> dict[str, Mapping[str, Any]]:
    """The suite's metrics by the name of their column, in order, with whatever else it says about them."""
    found: dict[str, Mapping[str, Any]] = {}
    for stated in view.suite.get("metrics") or ():
        about = {"name": stated} if isinstance(stated, str) else stated
        name = str(about.get("name"))
        found[view.column_names.get((name, str(about.get("id"))), name)] = about
    return found


def columns_of(
    view: RunView, records: Sequence[Mapping[str, Any]], entries: Mapping[tuple[str, str], Entry]
) -> tuple[Column, ...]:
    stated = metric_entries(view)
    names = list(dict.fromkeys(text(r["metric"]) for r in records))
    wanted = [str(m) for m in view.suite.get("primary") or ()]
    origin = {column: metric for (metric, _), column in view.column_names.items()}
    asked = set(stated) | set(wanted)
    parent = {n: p for n in names if n not in asked and (p := parent_of(n, names, asked))}
    primary = [n for m in wanted for n in names if origin.get(n, n) == m]
    order = [*primary, *(n for n in [*stated, *names] if n in names and n not in primary and n not in parent)]
    first: dict[str, Mapping[str, Any]] = {}
    for record in records:
        name = text(record["metric"])
        if name not in first or text(first[name]["status"]) != "ok":
            first[name] = record
    columns = []
    for name in dict.fromkeys(order):
        scored = [e for (_, metric), e in entries.items() if metric == name and e.ok]
        counts = {e.n for e in scored}
        about, row = stated.get(name, {}), first[name]
        columns.append(
            Column(
                name=name,
                metric_id=text(row["metric_id"]) or name,
                unit=text(row["unit"]),
                direction=direction_of(text(row["direction"])),
                ideal=number(about.get("ideal")),
                primary=name in primary or not primary,
                n=counts.pop() if len(counts) == 1 else None,
                companions=tuple(n for n, p in parent.items() if p == name),
                estimator=str(about.get("estimator") or ""),
                help=str(about.get("help") or ""),
                source=str(about.get("source") or ""),
                ci_methods=tuple(dict.fromkeys(e.ci_method for e in scored if e.ci_method)),
            )
        )
    return tuple(columns)


def parent_of(name: str, names: Sequence[str], asked: Collection[str] = ()) -> str | None:
    """The metric of which `name` is a companion: `precision.avatars` for `precision.avatars.same`.

    The nearest one that the suite asks for; where it asks for none of them, the topmost.
    """
    above = [n for n in names if name.startswith(n + ".")]
    wanted = [n for n in above if n in asked]
    return max(wanted, key=len) if wanted else min(above, key=len, default=None)


def direction_of(word: str) -> Direction:
    return Direction(word) if word in Direction.__members__.values() else Direction.NONE


def method_entries(view: RunView) -> dict[str, Mapping[str, Any]]:
    """The suite's methods by label, in order, with whatever else it says about them."""
    stated = view.suite.get("methods") or ()
    named = ((m, {}) if isinstance(m, str) else (str(m.get("label") or m.get("name")), m) for m in stated)
    return dict(named)


def rows_of(view: RunView, records: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    cells: dict[str, list[dict[str, Any]]] = {}
    for values in view.cells.itertuples(index=False, name=None):
        cell = dict(zip(view.cells.columns, values, strict=True))
        cells.setdefault(text(cell["method"]), []).append(cell)
    first: dict[str, Mapping[str, Any]] = {}
    for record in records:
        first.setdefault(text(record["method"]), record)
    seen = list(dict.fromkeys([*first, *cells]))
    stated = [m for m in method_entries(view) if m in seen]
    labels = [*stated, *(m for m in seen if m not in stated)]
    rows = [row_of(label, cells.get(label, []), first.get(label, {})) for label in labels]
    rank = {role: i for i, role in enumerate(ROLES)}
    return tuple(sorted(rows, key=lambda r: rank.get(r.role, 1)))


def row_of(label: str, cells: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> Row:
    each = [{f.strip() for f in text(c["flags"]).split(",") if f.strip()} for c in cells if text(c["status"]) == "ok"]
    flags = frozenset[str]().union(*each)
    if not all("inert" in f for f in each):  # a row is inert where every finished seed is; else a warning says how many
        flags -= {"inert"}
    point = json_of(cells[0]["point"]) if cells else {}
    gaps = [(str(c["seed"]), text(c["status"]), text(c["reason"])) for c in cells if text(c["status"]) != "ok"]
    return Row(
        label=label,
        role=text(record.get("role")) or (text(cells[0]["role"]) if cells else "") or "method",
        params=json_of(record.get("params")),
        flags=flags,
        family=family_of(label, point),
        point=point,
        done=len(cells) - len(gaps),
        planned=len(cells),
        gaps=tuple(gaps),
        cost=cost_of([c for c in cells if text(c["status"]) == "ok"]),
    )


def json_of(value: Any) -> dict[str, Any]:
    """A JSON object from a frame's text, or {} for a missing one."""
    if isinstance(value, Mapping):
        return dict(value)
    found = json.loads(value) if isinstance(value, str) and value else {}
    return found if isinstance(found, dict) else {}


def family_of(label: str, point: Mapping[str, Any]) -> str:
    """The label without its sweep point: "spell" for "spell radius=0.3" swept over radius."""
    starts = [i for key in point if (i := label.find(f" {key}=")) > 0]
    return label[: min(starts)] if starts else label


def cost_of(cells: Sequence[Mapping[str, Any]]) -> Cost:
    images = [number(c["images"]) for c in cells]
    per_image = bool(cells) and all(images)

    def mean(column: str) -> float | None:
        values = [number(c[column]) for c in cells]
        if not values or any(v is None for v in values):
            return None
        return sum(v for v in values if v) / (sum(i for i in images if i) if per_image else len(values))

    peaks = [p for c in cells if (p := number(c["peak_memory_mb"])) is not None]
    per = "image" if per_image else "cell"
    asked = [e for c in cells if (e := number(c.get("evaluations"))) is not None]  # of a cell, never an item's share
    told = sum(asked) / len(asked) if asked else None
    return Cost(mean("seconds"), mean("denoiser_calls"), told, max(peaks) if peaks else None, per)


def comparisons_of(view: RunView) -> dict[tuple[str, str], tuple[Delta, ...]]:
    """Further paired comparisons by (method, metric)."""
    found: dict[tuple[str, str], tuple[Delta, ...]] = {}
    if view.comparisons is not None:
        for values in view.comparisons.itertuples(index=False, name=None):
            row = dict(zip(view.comparisons.columns, values, strict=True))
            if (delta := delta_of(row)) is not None:
                key = (text(row["method"]), text(row["metric"]))
                found[key] = (*found.get(key, ()), delta)
    return found
