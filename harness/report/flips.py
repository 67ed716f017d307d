"""Flips as tables: how many items each row broke and mended, against the baseline, over all seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.entries import number, text
from harness.report.rounding import p_text
from harness.report.run_view import RunView
from harness.report.summary import Row, Summary
from harness.scoring.columns import AGGREGATE


@dataclass(frozen=True)
class FlipLine:
    """A row's flips. `lost` are right before and wrong after; `share_lost`, `share_gained` scale bars to the table."""

    row: Row
    lost: int
    gained: int
    both: int
    neither: int
    unpaired: int
    p: float | None
    share_lost: float
    share_gained: float
    seeds: tuple[tuple[str, int, int], ...]

    @property
    def pairs(self) -> int:
        return self.lost + self.gained + self.both + self.neither

    @property
    def p_text(self) -> str:
        return "–" if self.p is None else p_text(self.p)

    @property
    def seeds_text(self) -> str:
        """ "seed 0: 3 broken, 5 mended; …"."""
        return "; ".join(f"seed {s}: {lost} broken, {gained} mended" for s, lost, gained in self.seeds)


@dataclass(frozen=True)
class FlipTable:
    """Flips by one metric. clusters: how many hold the pairs of a row; alone: every pair is its own cluster."""

    metric: str
    lines: tuple[FlipLine, ...]
    alone: bool

    @property
    def unpaired(self) -> bool:
        return any(line.unpaired for line in self.lines)


def flip_tables(view: RunView, summary: Summary) -> tuple[FlipTable, ...]:
    """One table a metric that calls items right or wrong, rows in the order of the summary."""
    if view.flips is None:
        return ()
    records = [{str(k): v for k, v in r.items()} for r in view.flips.to_dict("records")]
    ids = {(r["metric"], r["metric_id"]): None for r in records}
    names = {pair: view.column_names.get((str(pair[0]), str(pair[1])), str(pair[0])) for pair in ids}
    order = {c.name: i for i, c in enumerate(summary.columns)}
    tables = []
    for pair in sorted(ids, key=lambda p: order.get(names[p], len(order))):
        mine = [r for r in records if (r["metric"], r["metric_id"]) == pair]
        whole = {text(r["method"]): r for r in mine if str(r["seed"]) == AGGREGATE}
        most = max((max(r["lost"], r["gained"]) for r in whole.values()), default=0) or 1
        lines = []
        for row in summary.rows:
            if (found := whole.get(row.label)) is None:
                continue
            each = [r for r in mine if r["method"] == row.label and str(r["seed"]) != AGGREGATE]
            lines.append(
                FlipLine(
                    row=row,
                    **{k: int(found[k]) for k in ("lost", "gained", "both", "neither", "unpaired")},
                    p=number(found["p_value"]),
                    share_lost=found["lost"] / most,
                    share_gained=found["gained"] / most,
                    seeds=tuple((str(r["seed"]), int(r["lost"]), int(r["gained"])) for r in each),
                )
            )
        alone = all(int(r["clusters"]) == sum(int(r[k]) for k in COUNTS) for r in whole.values())
        if lines:
            tables.append(FlipTable(names[pair], tuple(lines), alone))
    return tuple(tables)


COUNTS = ("lost", "gained", "both", "neither")


def flip_note(table: FlipTable, summary: Summary) -> str:
    """What the p of a table is, and what is not in its counts."""
    test = "p: McNemar's exact test."
    if not table.alone:
        test = (
            f"p: exact; the sign of the net change of each {summary.cluster} is a coin toss, whatever the number of its"
            f" {summary.item}s and seeds (McNemar's exact test where each holds one)."
        )
    left = [f"{line.row.label} {line.unpaired}" for line in table.lines if line.unpaired]
    if not left:
        return f"{test} Every {summary.item} has its partner."
    return f"{test} Without a partner or a verdict, and in none of the counts: {'; '.join(left)}."


def flip_rows(tables: Sequence[FlipTable]) -> list[list[str]]:
    """The tables as text, for Markdown: metric, method, broken, mended, right both, wrong both, unpaired, p."""
    return [
        [t.metric, x.row.label, *(str(n) for n in (x.lost, x.gained, x.both, x.neither, x.unpaired)), x.p_text]
        for t in tables
        for x in t.lines
    ]
