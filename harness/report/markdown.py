"""The run as Markdown: sentences, the summary table, the differences, the metric ids. Plain hyphens as minus signs."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.contenders import RULE
from harness.report.entries import Clarity, Direction, Tone
from harness.report.flips import FlipTable, flip_note, flip_rows, flip_tables
from harness.report.forest import equals
from harness.report.matrix import Matrix, matrices, matrix_rows
from harness.report.narration import compared, own_warnings
from harness.report.rounding import MINUS, count_text, digits
from harness.report.run_view import RunView
from harness.report.search import SearchAccount, account_rows, search_account
from harness.report.summary import Column, Row, Summary, summarise
from harness.report.verdicts import verdicts

WORDS = {Tone.BETTER: "better", Tone.WORSE: "worse", Tone.CHANGED: "changed", Tone.UNCLEAR: "unclear"}


def markdown(view: RunView) -> str:
    """The document, ending in a newline."""
    summary = summarise(view)
    parts = [f"# {safe(view.title)}", safe(compared(view, summary))]
    if warnings := [*map(str, view.warnings), *own_warnings(view, summary)]:
        parts.append("\n".join(["**To know before reading on**", "", *(f"- {safe(w)}" for w in warnings)]))
    if said := verdicts(summary):
        parts.append("\n".join(f"- {safe(v.sentence)}" for v in said))
    parts.append("## Summary\n\n" + score_table(summary))
    parts.append(RULE)
    parts += [matrix_table(m) for m in matrices(view, summary) if m.column.direction is not Direction.NONE]
    if summary.baseline and any(e.delta is not None for e in summary.entries.values()):
        parts.append(f"## Paired differences from {safe(summary.baseline)}\n\n" + delta_table(summary))
    if tables := flip_tables(view, summary):
        parts.append(f"## Flips against {safe(summary.baseline)}\n\n" + flip_table(tables, summary))
    if (account := search_account(view, summary)) is not None and account.lines:
        parts.append("## What the searches found\n\n" + account_table(account))
    parts.append("## Metric ids\n\n" + "\n".join(f"- {code(c.metric_id)}" for c in summary.columns))
    return "\n\n".join(parts).replace(MINUS, "-") + "\n"


def score_table(summary: Summary) -> str:
    head = ["method", "role", *(heading(c) for c in summary.columns)]
    body = [[row_name(r), r.role, *(score_text(summary, r, c) for c in summary.columns)] for r in summary.rows]
    return table(head, body)


def delta_table(summary: Summary) -> str:
    head = ["method", *(heading(c) for c in summary.columns)]
    body = [
        [row_name(r), *(difference_text(summary, r, c) for c in summary.columns)]
        for r in summary.rows
        if r.label != summary.baseline
    ]
    return table(head, body)


def matrix_table(found: Matrix) -> str:
    """Rows by recognisers; then what the classes are."""
    head, body = matrix_rows(found)
    arrow = f" {found.column.direction.arrow}".rstrip()
    parts = [
        f"## {safe(found.family)}{arrow} by recogniser",
        table([safe(c) for c in head], [[safe(c) for c in r] for r in body]),
    ]
    known = [t.recogniser for t in found.targets if t.recogniser.facts]
    said = [f"- {k}: {k.words}" for k in found.kins]
    said += [f"- {safe(r.name)}: {safe(', '.join(r.facts))}" for r in known]
    return "\n\n".join([*parts, *(["\n".join(said)] if said else [])])


def flip_table(tables: Sequence[FlipTable], summary: Summary) -> str:
    """Items broken and mended by every row, then what the numbers are, a sentence a metric."""
    head = ["metric", "method", "broken", "mended", "right in both", "wrong in both", "no partner", "p"]
    notes = [f"{safe(t.metric)}: {safe(flip_note(t, summary))}" for t in tables]
    return "\n\n".join([table(head, [[safe(c) for c in r] for r in flip_rows(tables)]), *notes])


def account_table(account: SearchAccount) -> str:
    head = ["method", "evaluations", "tune loss, untouched", "tune loss", "report loss", "gap", "bound", "ties", ""]
    words = "Mean losses by the judge of the search, 0 is best; the bound holds for the gap with probability 0.95."
    return table(head, [[safe(c) for c in row] for row in account_rows(account)]) + f"\n\n{words}"


def heading(column: Column) -> str:
    parts = [f"{safe(column.name)} {column.direction.arrow}".strip(), safe(column.unit)]
    if column.n is not None:
        parts.append(f"n {count_text(column.n)}")
    return "<br>".join(p for p in parts if p)


def row_name(row: Row) -> str:
    external = " (made elsewhere)" if "external" in row.flags else ""
    return safe(row.label) + external + (" (inert, not ranked)" if row.inert else "")


def score_text(summary: Summary, row: Row, column: Column) -> str:
    entry = summary.entry(row.label, column.name)
    if entry.value is None:
        return f"{entry.status}: {safe(entry.reason)}" if entry.reason else entry.status
    d = digits(entry.value, entry.low, entry.high)
    value = d.text(entry.value)
    if row.label in summary.bold[column.name]:
        value = f"**{value}**"
    bounds = f" [{d.text(entry.low)}, {d.text(entry.high)}]" if entry.low is not None and entry.high is not None else ""
    return value + bounds + (f" (n {count_text(entry.n)})" if column.n is None and entry.n is not None else "")


def difference_text(summary: Summary, row: Row, column: Column) -> str:
    entry = summary.entry(row.label, column.name)
    if entry.value is None:
        return entry.status
    if (delta := entry.delta) is None:
        return "not compared"
    d = digits(delta.value, delta.low, delta.high)
    text = d.text(delta.value, signed=True)
    if delta.low is not None and delta.high is not None:
        text += f" [{d.text(delta.low)}, {d.text(delta.high)}]"
    word = WORDS[summary.tone(column, delta)] + ("?" if delta.clarity is Clarity.HINT else "")
    corrected = f", p {equals(delta.p_holm)}" if delta.p_holm is not None else ""
    return f"{text} {word}{corrected}" + (
        f" (against {safe(delta.against)})" if delta.against != summary.baseline else ""
    )


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def safe(text: str) -> str:
    """Text that stays text in a table cell: no markup, no line break, no column."""
    result = " ".join(str(text).split())
    for c in "\\`*_[]<>|":
        result = result.replace(c, "\\" + c if c not in "<>" else {"<": "&lt;", ">": "&gt;"}[c])
    return result


def code(text: str) -> str:
    return "`" + " ".join(str(text).replace("`", "'").split()) + "`"
