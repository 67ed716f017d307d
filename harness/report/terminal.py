"""The summary table for a terminal: methods as rows, primary metrics as columns, in blocks that fit the width.

Two lines a method: the value with its interval's half-width, below it the paired difference from the baseline with a
mark. The mark, not only its color, says better or worse, so the table reads the same without colors.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from harness.report.entries import Clarity, Delta, Entry, Tone
from harness.report.kinship import Kin
from harness.report.matrix import MatrixLine, matrices
from harness.report.narration import own_warnings
from harness.report.rounding import MINUS, count_text, digits
from harness.report.run_view import RunView
from harness.report.summary import Column, Row, Summary, summarise
from harness.report.verdicts import Kind, verdicts

STYLES: dict[str, str] = {Tone.BETTER: "green", Tone.WORSE: "red", Tone.CHANGED: "magenta", Tone.UNCLEAR: "dim"}
STYLES |= {Kind.MIXED: "cyan", Kind.MISSING: "yellow"}
MARKS: dict[str, str] = {Tone.BETTER: "✓", Tone.WORSE: "✗", Tone.CHANGED: "≠", Tone.UNCLEAR: "~"}
MARKS |= {Kind.MIXED: "⇅", Kind.MISSING: "–"}
PLAIN = {
    "✓": "+",
    "✗": "x",
    "≠": "!",
    "⇅": "*",
    "↑": "^",
    "↓": "v",
    "◎": "o",
    "±": "+/-",
    MINUS: "-",
    "–": "-",
    "…": "...",
    "·": "-",
}
GUTTER = 3  # spaces between columns
NAME = 24  # widest method column


@dataclass(frozen=True)
class SummaryTable:
    """A rich renderable; it chooses its columns when it learns the width."""

    summary: Summary
    columns: tuple[Column, ...]
    sentences: tuple[tuple[str, Kind], ...] = ()
    warnings: tuple[str, ...] = ()
    classes: Table | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.ascii_only:
            yield Text(ascii_text(rendered(self, options.max_width)))
        else:
            yield from self.parts(options.max_width)

    def parts(self, width: int) -> list[RenderableType]:
        blocks = split(self.summary, self.columns, width)
        made: list[RenderableType] = [block(self.summary, columns, width) for columns in blocks]
        made.append(legend(self.summary))
        made += [self.classes] if self.classes is not None else []
        made += [Text(f"! {w}", style="yellow") for w in self.warnings]
        made += [Text.assemble((f"{MARKS[kind]} ", STYLES[kind]), sentence) for sentence, kind in self.sentences]
        return made


def summary_table(view: RunView, *, all_metrics: bool = False, sentences: bool = False) -> SummaryTable:
    """The run's table: primary metrics, or all of them; with the verdict sentences below it when asked."""
    summary = summarise(view)
    said = tuple((v.sentence, v.kind) for v in verdicts(summary)) if sentences else ()
    warnings = (*map(str, view.warnings), *own_warnings(view, summary))
    columns = summary.columns if all_metrics else summary.primary or summary.columns
    return SummaryTable(summary, columns, said, warnings, class_table(view, summary))


def class_table(view: RunView, summary: Summary) -> Table | None:
    """Lowest and highest value by class of recogniser, of the first matrix; None without classes."""
    found = next((m for m in matrices(view, summary) if m.kins), None)
    if found is None:
        return None
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GUTTER, 0, 0), collapse_padding=True
    )
    table.add_column(f"{found.family} {found.column.direction.arrow}".strip(), max_width=NAME, overflow="fold")
    for kin in found.kins:
        table.add_column(kin.value, justify="right", no_wrap=True)
    table.caption = "Lowest and highest. White: optimised on, grey: kin of one, black: neither."
    table.caption_justify, table.caption_style = "left", "dim"
    for line in found.lines:
        if any(c.kin for c in line.cells):
            table.add_row(Text(line.row.label), *(extent(line, k) for k in found.kins))
    return table


def extent(line: MatrixLine, kin: Kin) -> Text:
    """ "0.04–0.35"; the status where no cell of the class has a value."""
    cells = [c for c in line.cells if c.kin is kin]
    values = sorted(c.entry.value for c in cells if c.entry.value is not None)
    if not values:
        return Text(cells[0].entry.status if cells else "–", style="yellow" if cells else "dim")
    ends = dict.fromkeys(f"{v:.2f}".replace("-", MINUS) for v in (values[0], values[-1]))
    return Text("–".join(ends))


def split(summary: Summary, columns: Sequence[Column], width: int) -> list[list[Column]]:
    """Columns in as few blocks as fit the width, at least one column a block."""
    room = width - name_width(summary, width)
    blocks: list[list[Column]] = [[]]
    used = 0
    for column in columns:
        wide = column_width(summary, column) + GUTTER
        if blocks[-1] and used + wide > room:
            blocks.append([])
            used = 0
        blocks[-1].append(column)
        used += wide
    return blocks


def name_width(summary: Summary, width: int) -> int:
    longest = max((len(word) for r in summary.rows for word in (r.label, role_text(r))), default=6)
    return min(longest, NAME, max(10, width // 3))


def column_width(summary: Summary, column: Column) -> int:
    lines = [line for r in summary.rows for line in score(summary, r, column).plain.split("\n")]
    lines += head(column).plain.split("\n")
    return max(len(line) for line in lines)


def block(summary: Summary, columns: Sequence[Column], width: int) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GUTTER, 0, 0), collapse_padding=True
    )
    table.add_column("method", max_width=name_width(summary, width), overflow="fold", vertical="top")
    for column in columns:
        table.add_column(head(column), justify="right", no_wrap=True, overflow="ellipsis")
    for i, row in enumerate(summary.rows):
        last = i + 1 == len(summary.rows) or summary.rows[i + 1].role != row.role
        table.add_row(row_name(row), *(score(summary, row, c) for c in columns), end_section=last)
    return table


def head(column: Column) -> Text:
    text = Text(f"{column.name} {column.direction.arrow}".strip(), style="bold")
    under = column.unit if len(column.unit) <= 18 else ""
    count = f"n {count_text(column.n)}" if column.n is not None else ""
    return text.append("\n" + ", ".join(p for p in (under, count) if p), style="not bold dim")


def role_text(row: Row) -> str:
    words = [row.role] if row.role != "method" else []
    words += [f for f in ("external", "inert") if f in row.flags]
    words += [f"{row.done}/{row.planned} cells"] if row.done < row.planned else []
    return ", ".join(words)


def row_name(row: Row) -> Text:
    text = Text(row.label)
    return text.append(f"\n{role_text(row)}", style="dim") if role_text(row) else text


def score(summary: Summary, row: Row, column: Column) -> Text:
    """Value and interval; below it the difference, or the status where there is no value."""
    entry = summary.entry(row.label, column.name)
    if entry.value is None:
        return Text(entry.status, style="yellow")
    style = "bold" if row.label in summary.bold[column.name] else "dim" if row.inert else ""
    text = Text(justify="right").append(value_text(entry), style=style)
    if entry.delta is not None:
        tone = summary.tone(column, entry.delta)
        text.append("\n").append(difference_text(entry.delta, tone), style=STYLES[tone])
    elif row.label == summary.baseline:
        text.append("\n")
    return text


def value_text(entry: Entry) -> str:
    """ "12.31 ±0.42", with the larger half where the interval is not symmetric."""
    value = entry.value if entry.value is not None else 0.0
    d = digits(value, entry.low, entry.high)
    if entry.low is None or entry.high is None:
        return f"{d.text(value)} (no interval)"
    return f"{d.text(value)} ±{d.text(max(value - entry.low, entry.high - value))}"


def difference_text(delta: Delta, tone: Tone) -> str:
    mark = MARKS[tone] + ("?" if delta.clarity is Clarity.HINT else "")
    return f"{digits(delta.value, delta.low, delta.high).text(delta.value, signed=True)} {mark}"


def legend(summary: Summary) -> Text:
    base = summary.baseline or "the baseline"
    words = f"± half of the 95 % interval. Below: paired difference from {base}, ✓ better, ✗ worse, ~ unclear"
    hints = any(e.delta is not None and e.delta.clarity is Clarity.HINT for e in summary.entries.values())
    words += ", ? not after Holm" if hints else ""
    words += ". Bold: not distinguishable from the best." if any(summary.bold.values()) else "."
    return Text(words, style="dim")


def ascii_text(text: str) -> str:
    """The text with stand-ins, for terminals without Unicode; what has none becomes a question mark."""
    for mark, stand_in in PLAIN.items():
        text = text.replace(mark, stand_in)
    return text.encode("ascii", "replace").decode("ascii")


def rendered(table: SummaryTable, width: int) -> str:
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False, file=io.StringIO())
    with console.capture() as capture:
        console.print(Group(*table.parts(width)))
    return capture.get().rstrip("\n")


def as_text(view: RunView, width: int = 80) -> str:
    """The table as plain text, for logs and files."""
    return rendered(summary_table(view), width) + "\n"
