"""The surrogate × target matrix: rows of the run by recognisers, a heat map for every metric that each recogniser has.

A family is a set of metrics that differ in the recogniser at the end of their names: ver.dodge_cond.avatars-vit,
ver.dodge_cond.avatars-cnn, … Numbers are the frame's aggregates; classes are the record's. Source: face_privacy.md 8.6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.report.entries import Direction, Entry
from harness.report.kinship import Kin, Recogniser, kin_of, recogniser_of, recognisers
from harness.report.rounding import digits
from harness.report.run_view import RunView, id_fields
from harness.report.score_cells import Shown, note_of, shown
from harness.report.summary import Column, Row, Summary

LEAST = 3  # recognisers that make a matrix
FIRST = "ver.dodge_cond"
ROOMS = ("ver", "imp", "id")  # metrics of one recogniser each, where the record names no recognisers


@dataclass(frozen=True)
class Target:
    """A column. weak: its clean acceptance, where that is so low that protection from it means little."""

    recogniser: Recogniser
    column: Column
    weak: Shown | None = None


@dataclass(frozen=True)
class MatrixCell:
    """strength: how good the value is for the protected person, in [0, 1]; None without a value or a better side."""

    entry: Entry
    value: Shown
    kin: Kin
    strength: float | None
    note: str


@dataclass(frozen=True)
class MatrixLine:
    """surrogates: what the row optimised on, in the suite's words; black: lowest and highest of its black cells."""

    row: Row
    surrogates: str
    cells: tuple[MatrixCell, ...]
    black: str
    opens: bool


@dataclass(frozen=True)
class Matrix:
    """One family. ends: the values without and with the full color."""

    family: str
    targets: tuple[Target, ...]
    lines: tuple[MatrixLine, ...]
    ends: tuple[str, str]

    @property
    def column(self) -> Column:
        """Direction, unit and help that the family shares."""
        return self.targets[0].column

    @property
    def kins(self) -> tuple[Kin, ...]:
        """Classes that occur."""
        found = {c.kin for line in self.lines for c in line.cells}
        return tuple(k for k in (Kin.WHITE, Kin.GREY, Kin.BLACK) if k in found)

    @property
    def has_black(self) -> bool:
        return any(line.black for line in self.lines)


def matrices(view: RunView, summary: Summary) -> tuple[Matrix, ...]:
    """A matrix for every family of at least three recognisers; dodging, given a clean match, first."""
    named: dict[str, list[tuple[str, Column]]] = {}
    known = recognisers(view)
    for column in summary.columns:
        if (parts := split(column.name, known)) is not None:
            named.setdefault(parts[0], []).append((parts[1], column))
    families: dict[str, list[tuple[str, Column]]] = {}
    for name, members in named.items():
        options = differing(c.name for _, c in members)
        for recogniser, column in members:
            fields = id_fields(column.metric_id)
            marks = ",".join(f"{k}={fields[k]}" for k in options if k in fields)
            families.setdefault(f"{name} {marks}".strip(), []).append((recogniser, column))
    ranked = [f for f, m in families.items() if len(m) >= LEAST]
    ranked.sort(key=lambda f: (f.split(" ")[0] != FIRST, families[f][0][1].direction is Direction.NONE))
    return tuple(matrix(view, summary, f, families[f]) for f in ranked)


def split(name: str, known: frozenset[str]) -> tuple[str, str] | None:
    """(metric without its recogniser, recogniser) of a column's name; None for metrics of no recogniser."""
    family, _, last = name.split(" ")[0].rpartition(".")
    if not family or (last not in known if known else family.split(".")[0] not in ROOMS):
        return None
    return family, last


def differing(names: Iterable[str]) -> tuple[str, ...]:
    """Options by which columns are told apart, as in "ver.leak.avatars-vit protocol=P"; also of columns without."""
    marks = [m for n in names for m in n.partition(" ")[2].split(",") if m]
    return tuple(dict.fromkeys(m.partition("=")[0] for m in marks))


def matrix(view: RunView, summary: Summary, family: str, members: Sequence[tuple[str, Column]]) -> Matrix:
    columns = [c for _, c in members]
    entries = [summary.entry(r.label, c.name) for r in summary.rows for c in columns]
    low, high = ends(columns[0], [e.value for e in entries if e.value is not None])
    better = columns[0].direction
    targets = tuple(Target(recogniser_of(view, name), c, weak(summary, c)) for name, c in members)
    lines: list[MatrixLine] = []
    for row in summary.rows:
        cells = []
        for name, column in members:
            entry = summary.entry(row.label, column.name)
            value = shown(entry.value, entry.low, entry.high)
            kin = kin_of(view, row.label, name)
            strength = None if entry.value is None else share(entry.value, low, high, column)
            cells.append(MatrixCell(entry, value, kin, strength, note_of(entry)))
        opens = bool(lines) and lines[-1].row.role != row.role
        lines.append(MatrixLine(row, surrogates(view, row), tuple(cells), span(cells), opens))
    d = digits(low, low, high) if low != int(low) or high != int(high) else digits(low)
    worst, best = (high, low) if better is Direction.LOWER else (low, high)
    return Matrix(family, targets, tuple(lines), (d.text(worst), d.text(best)))


def surrogates(view: RunView, row: Row) -> str:
    """The suite's words; else the recognisers that the record calls white; "" where the row's name says it."""
    if "surrogates" in row.point:
        return ""
    white = [n for n, kin in view.kinship.get(row.label, {}).items() if kin == Kin.WHITE]
    return str(row.params.get("surrogates") or "+".join(white)) if white or "surrogates" in row.params else ""


def ends(column: Column, values: Sequence[float]) -> tuple[float, float]:
    """Values at the ends of the scale: 0 and 1 for shares, so that families compare; else the family's own extremes."""
    if "share" in column.unit or not values:
        return 0.0, 1.0
    return (min(values), max(values)) if min(values) < max(values) else (values[0], values[0] + 1.0)


def share(value: float, low: float, high: float, column: Column) -> float | None:
    """Place of a value on the scale, 1 at the end that is best for the protected person; None without a best end."""
    if column.direction is Direction.TARGET and column.ideal is not None:
        far = max(abs(low - column.ideal), abs(high - column.ideal)) or 1.0
        return round(min(1.0, max(0.0, 1.0 - abs(value - column.ideal) / far)), 4)
    if column.direction not in (Direction.HIGHER, Direction.LOWER):
        return None
    place = min(1.0, max(0.0, (value - low) / (high - low)))
    return round(place if column.direction is Direction.HIGHER else 1.0 - place, 4)


def span(cells: Sequence[MatrixCell]) -> str:
    """ "0.12 – 0.40": the lowest and the highest value of the black cells, "" where there is none."""
    black = [c for c in cells if c.kin is Kin.BLACK and c.entry.value is not None]
    if not black:
        return ""
    black.sort(key=lambda c: c.entry.value or 0.0)
    first, last = black[0].value.text, black[-1].value.text
    return first if len(black) == 1 else f"{first} – {last}"


def weak(summary: Summary, column: Column) -> Shown | None:
    """Clean acceptance of a recogniser that the metric itself calls weak."""
    found = [summary.entry(r.label, f"{column.name}.weak_recogniser") for r in summary.rows]
    values = [e.value for e in found if e.value is not None]
    return shown(values[0]) if values else None


def matrix_rows(found: Matrix) -> tuple[list[str], list[list[str]]]:
    """Head and rows as text, for Markdown: value, interval and class, or the status."""
    black = ["black cells"] if found.has_black else []
    head = ["method", "optimised on", *(t.recogniser.name for t in found.targets), *black]
    body = [
        [x.row.label, x.surrogates, *(cell_text(c) for c in x.cells), *([x.black or "none"] if black else [])]
        for x in found.lines
    ]
    return head, body


def cell_text(cell: MatrixCell) -> str:
    """ "0.83 [0.71, 0.90] white", or the status with its reason."""
    entry, value = cell.entry, cell.value
    if entry.value is None:
        words = f"{entry.status}: {entry.reason}" if entry.reason else entry.status
    else:
        words = value.text + (f" [{value.low_text}, {value.high_text}]" if value.low is not None else "")
    return f"{words} {cell.kin}".strip()
