"""Markdown, CSV and the terminal table show the same numbers as the frame."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from rich.console import Console

from harness.report import render
from harness.report.rounding import MINUS, digits
from harness.report.terminal import as_text, summary_table


def aggregates(view):
    rows = view.scores[view.scores["seed"] == "all"]
    return rows[~rows["metric"].str.endswith((".same", ".jack"))]


def table_of(text, heading):
    lines = text.split(f"## {heading}")[1].split("\n## ")[0].strip().split("\n")
    body = [[c.strip() for c in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]
    names = [c.split(" ")[0].split("<br>")[0].replace("\\_", "_") for c in body[0]]
    return {row[0].replace("\\_", "_"): dict(zip(names, row, strict=True)) for row in body[2:]}


def test_markdown_numbers_are_the_frames(view):
    table = table_of(render(view, "md"), "Summary")
    for row in aggregates(view).itertuples():
        shown = next(v for k, v in table.items() if k.startswith(row.method))[row.metric].replace("**", "")
        if row.status == "ok":
            d = digits(row.value, row.ci_low, row.ci_high)
            expected = f"{d.text(row.value)} [{d.text(row.ci_low)}, {d.text(row.ci_high)}]".replace(MINUS, "-")
            assert shown == expected
        else:
            assert shown == "failed: 2/3 cells; no average over a gap"


def test_markdown_differences_carry_their_corrected_p(view):
    table = table_of(render(view, "md"), "Paired differences from iid")
    assert table["cads"]["vendi.avatars"].endswith("better, p < 0.001")
    assert table["diverse_diffusion"]["vendi.avatars"] == "failed"
    assert table["particle_guidance (inert, not ranked)"]["vendi.avatars"] == "not compared"


def test_markdown_keeps_hostile_text_in_its_cell(hostile_view):
    text = render(hostile_view, "md")
    assert "<script>" not in text
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows if "| --- |" not in line}) <= 2


def test_csv_is_the_scores_frame(view):
    back = pd.read_csv(io.StringIO(render(view, "csv")), dtype={"seed": str}, keep_default_na=True)
    assert list(back.columns) == list(view.scores.columns)
    pd.testing.assert_series_equal(back["value"], view.scores["value"].astype(float), check_exact=True)


def test_an_unknown_format_is_refused_with_the_known_ones(view):
    with pytest.raises(ValueError, match="html, md, csv"):
        render(view, "pdf")  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_terminal_table_keeps_to_its_width(view, width):
    text = as_text(view, width)
    assert max(len(line) for line in text.split("\n")) <= width
    assert "…" not in text


def test_the_terminal_table_at_width_80_holds_every_primary_number(view):
    text = as_text(view, 80)
    for row in aggregates(view)[lambda r: r["status"] == "ok"].itertuples():
        if row.metric in view.suite["primary"]:
            d = digits(row.value, row.ci_low, row.ci_high)
            half = max(row.value - row.ci_low, row.ci_high - row.value)
            assert f"{d.text(row.value)} ±{d.text(half)}" in text
    assert "failed" in text
    assert "inert" in text
    assert "2/3 cells" in text


def test_better_and_worse_are_marked_without_colors(view):
    text = as_text(view, 200)
    line = next(
        after for before, after in zip(text.split("\n"), text.split("\n")[1:], strict=False) if "cads" in before
    )
    assert line.count("✓") == 2
    assert line.count("✗") == 2


def test_plain_text_has_no_escape_codes_and_a_terminal_gets_colors(view):
    assert "\x1b" not in as_text(view)
    buffer = io.StringIO()
    Console(file=buffer, force_terminal=True, color_system="truecolor", width=80).print(summary_table(view))
    assert "\x1b[32m" in buffer.getvalue()


def test_a_terminal_without_unicode_gets_stand_ins(view):
    buffer = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=buffer, width=80, legacy_windows=False).print(summary_table(view, sentences=True))
    buffer.seek(0)
    assert "+/-" in buffer.read()


def test_brackets_in_names_are_not_read_as_styles(hostile_view):
    labelled = hostile_view.scores.assign(method=hostile_view.scores["method"].replace("iid", "iid [red]x[/red]"))
    cells = hostile_view.cells.assign(method=hostile_view.cells["method"].replace("iid", "iid [red]x[/red]"))
    object.__setattr__(hostile_view, "scores", labelled)
    object.__setattr__(hostile_view, "cells", cells)
    assert "[red]x[/red]" in as_text(hostile_view, 120)
