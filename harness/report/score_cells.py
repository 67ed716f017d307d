"""The summary table as a page prints it: rounded numbers beside their exact values, aligned on the decimal point."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from harness.report.entries import Clarity, Entry, Tone, entry_of, number
from harness.report.forest import equals
from harness.report.rounding import count_text, digits
from harness.report.run_view import RunView
from harness.report.summary import Column, Row, Summary
from harness.scoring.columns import AGGREGATE

FIGURE_SPACE = "\N{FIGURE SPACE}"
PUNCTUATION_SPACE = "\N{PUNCTUATION SPACE}"


@dataclass(frozen=True)
class Shown:
    """A number as printed, and exactly. `pad` fills its decimals up to those of its column; `status` where no value."""

    value: float | None
    text: str
    low: float | None = None
    high: float | None = None
    low_text: str = ""
    high_text: str = ""
    pad: str = ""
    status: str = ""


@dataclass(frozen=True)
class ScoreCell:
    entry: Entry
    value: Shown
    delta: Shown | None
    tone: Tone
    hollow: bool
    best: bool
    note: str
    n: int | None
    companions: tuple[tuple[str, Shown], ...]


@dataclass(frozen=True)
class CostCell:
    value: float | None
    text: str
    ratio: str


@dataclass(frozen=True)
class Line:
    """A row of the table. opens: the first row of another role."""

    row: Row
    scores: tuple[ScoreCell, ...]
    costs: tuple[CostCell, ...]
    opens: bool


@dataclass(frozen=True)
class CostHead:
    title: str
    unit: str


@dataclass(frozen=True)
class ScoreTable:
    """A table of some metrics. offset: metrics in the tables before it, for the footnotes' numbers.

    shared   by column: companions that are the same number in every row, said once in its heading
    """

    title: str
    columns: tuple[Column, ...]
    costs: tuple[CostHead, ...]
    lines: tuple[Line, ...]
    offset: int
    shared: Mapping[str, tuple[tuple[str, Shown], ...]] = field(default_factory=dict)


def shown(value: float | None, low: float | None = None, high: float | None = None, *, signed: bool = False) -> Shown:
    """A number and its bounds with the digits they deserve."""
    if value is None:
        return Shown(None, "")
    d = digits(value, low, high)
    low_text = "" if low is None else d.text(low)
    high_text = "" if high is None else d.text(high)
    known = low is not None and high is not None
    return Shown(
        value, d.text(value, signed=signed), low if known else None, high if known else None, low_text, high_text
    )


def decimals_of(number_text: str) -> int:
    return len(number_text.partition(".")[2]) if "e" not in number_text else 0


def padding(number_text: str, decimals: int) -> str:
    """Spaces as wide as the decimals that the column's longest number has more."""
    own = decimals_of(number_text)
    if own >= decimals:
        return ""
    return (PUNCTUATION_SPACE if own == 0 else "") + FIGURE_SPACE * (decimals - own)


def score_tables(summary: Summary) -> tuple[ScoreTable, ...]:
    """Primary metrics with the costs; secondary ones, which are exploratory, in a table of their own."""
    primary = score_table(summary, summary.primary, "", costs=True, offset=0)
    if not summary.secondary:
        return (primary,)
    title = "Secondary metrics, exploratory"
    return primary, score_table(summary, summary.secondary, title, costs=False, offset=len(summary.primary))


def one(thing: str) -> str:
    """ "an image", "a program", "an utterance"."""
    return f"{'an' if thing[:1] in 'aeiou' else 'a'} {thing}"


def cost_heads(summary: Summary) -> tuple[CostHead, ...]:
    if not any(r.cost.seconds is not None or r.cost.calls is not None for r in summary.rows):
        return ()
    per = "image" if all(r.cost.per == "image" for r in summary.rows if r.done) else "cell"
    item = one(summary.item)
    heads = {
        "seconds": CostHead("time", f"s {item}" if per == "image" else "s a cell"),
        "calls": CostHead("denoiser calls", item if per == "image" else "a cell"),
        "evaluations": CostHead("evaluations", "of a search"),
        "memory_mb": CostHead("peak memory", "MB"),
    }
    return tuple(heads[k] for k in cost_kinds(summary))


def cost_kinds(summary: Summary) -> tuple[str, ...]:
    """What rows are compared by: denoiser calls and evaluations where there are any."""
    calls = any(r.cost.calls for r in summary.rows)
    asked = any(r.cost.evaluations is not None for r in summary.rows)
    draws = summary.item == "image" and not asked  # of images a zero is news
    kinds = {"seconds": True, "calls": calls or draws, "evaluations": asked, "memory_mb": True}
    return tuple(k for k, shown_ in kinds.items() if shown_)


def score_table(summary: Summary, columns: Sequence[Column], title: str, *, costs: bool, offset: int) -> ScoreTable:
    heads = cost_heads(summary) if costs else ()
    widest = {c.name: most_decimals(summary, c) for c in columns}
    base = next((r for r in summary.rows if r.label == summary.baseline), None)
    shared = {c.name: shared_companions(summary, c) for c in columns}
    lines: list[Line] = []
    for row in summary.rows:
        scores = tuple(score_cell(summary, row, c, widest[c.name], {n for n, _ in shared[c.name]}) for c in columns)
        opens = bool(lines) and lines[-1].row.role != row.role
        lines.append(Line(row, scores, cost_cells(row, base, cost_kinds(summary)) if heads else (), opens))
    return ScoreTable(title, tuple(columns), heads, tuple(lines), offset, shared)


def shared_companions(summary: Summary, column: Column) -> tuple[tuple[str, Shown], ...]:
    """Companions of a column with one value in all rows that have the metric: a radius, a control, no duplicates."""
    found = []
    for name in column.companions:
        beside = [summary.entry(r.label, name) for r in summary.rows if summary.entry(r.label, column.name).ok]
        if len(beside) > 1 and all(e.ok for e in beside) and len({e.value for e in beside}) == 1:
            found.append((name.removeprefix(column.name + "."), shown(beside[0].value, beside[0].low, beside[0].high)))
    return tuple(found)


def most_decimals(summary: Summary, column: Column) -> int:
    entries = [summary.entry(r.label, column.name) for r in summary.rows]
    return max((decimals_of(value_of(e).text) for e in entries if e.ok), default=0)


def value_of(entry: Entry) -> Shown:
    return shown(entry.value, entry.low, entry.high)


def score_cell(summary: Summary, row: Row, column: Column, decimals: int, shared: Collection[str] = ()) -> ScoreCell:
    entry = summary.entry(row.label, column.name)
    value = value_of(entry)
    value = Shown(**{**vars(value), "pad": padding(value.text, decimals)})
    delta = entry.delta
    companions = []
    for name in column.companions:
        short, beside = name.removeprefix(column.name + "."), summary.entry(row.label, name)
        if short not in shared:
            known = shown(beside.value, beside.low, beside.high) if beside.ok else Shown(None, "", status=beside.status)
            companions.append((short, known))
    return ScoreCell(
        entry=entry,
        value=value,
        delta=None if delta is None else shown(delta.value, delta.low, delta.high, signed=True),
        tone=Tone.UNCLEAR if delta is None else summary.tone(column, delta),
        hollow=delta is not None and delta.clarity is Clarity.HINT,
        best=row.label in summary.bold.get(column.name, frozenset()),
        note=note_of(entry),
        n=entry.n if column.n is None else None,
        companions=tuple(companions),
    )


def note_of(entry: Entry) -> str:
    """What hovering tells: id, n, interval method, p-values."""
    parts = [entry.metric_id, f"n = {count_text(entry.n)}" if entry.n is not None else "", entry.ci_method]
    if (d := entry.delta) is not None:
        parts.append(f"against {d.against}" + (f": p {equals(d.p)}" if d.p is not None else ""))
        parts.append(f"p after Holm {equals(d.p_holm)}" if d.p_holm is not None else "")
    return "\n".join(p for p in (*parts, entry.reason) if p)


def cost_cells(row: Row, base: Row | None, kinds: Sequence[str]) -> tuple[CostCell, ...]:
    cells = []
    for name in kinds:
        precise = name == "seconds"
        value: float | None = getattr(row.cost, name)
        reference: float | None = (
            getattr(base.cost, name) if base is not None and base.cost.per == row.cost.per else None
        )
        ratio = ""
        if value is not None and reference and abs(value / reference - 1) >= 0.03:
            ratio = f"{value / reference:.2g}" if value / reference < 100 else f"{value / reference:.0f}"
        text = "" if value is None else f"{value:.2g}" if precise and value < 10 else count_text(value)
        cells.append(CostCell(value, text, ratio))
    return tuple(cells)


def seed_lines(view: RunView, summary: Summary) -> list[tuple[Row, list[list[tuple[str, Shown | None, str]]]]]:
    """Per row and metric the value of each seed, or its status; empty when the frame has no rows by seed."""
    found: dict[tuple[str, str, str], Entry] = {}
    scores = view.table_scores
    for values in scores[scores["seed"].astype(str) != AGGREGATE].itertuples(index=False, name=None):
        record = dict(zip(scores.columns, values, strict=True))
        entry = entry_of(record)
        found[entry.method, entry.metric, str(record["seed"])] = entry
    if not found:
        return []
    gaps = {(r.label, seed): status for r in summary.rows for seed, status, _ in r.gaps}
    return [(row, [seeds_of(view.seeds, found, gaps, row, c) for c in summary.columns]) for row in summary.rows]


def seeds_of(
    seeds: Sequence[str],
    found: dict[tuple[str, str, str], Entry],
    gaps: dict[tuple[str, str], str],
    row: Row,
    column: Column,
) -> list[tuple[str, Shown | None, str]]:
    cells: list[tuple[str, Shown | None, str]] = []
    for seed in seeds:
        entry = found.get((row.label, column.name, seed))
        if entry is not None and number(entry.value) is not None:
            cells.append((seed, value_of(entry), ""))
        else:
            cells.append((seed, None, entry.status if entry is not None else gaps.get((row.label, seed), "not-run")))
    return cells
