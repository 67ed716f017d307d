"""Searches and flips on the page: numbers of the frames, in words that follow from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_outputs import ROWS, make_view

from harness.report import BadFrame, render
from harness.report.flips import flip_note, flip_tables
from harness.report.search import budget_sweeps, search_account, steps, traced
from harness.report.summary import summarise


@pytest.fixture(scope="module")
def view():
    return make_view("texts")


@pytest.fixture(scope="module")
def summary(view):
    return summarise(view)


def test_the_best_so_far_never_rises_and_starts_at_the_identity(view, summary):
    found = {t.row.label: t for t in traced(view, summary)}
    assert set(found) == {r.label for r in ROWS}
    for row in ROWS:
        for best in found[row.label].best:
            assert best[0] == 0.5
            assert best[-1] == pytest.approx(row.best)
            assert (np.diff(best) <= 0).all()


def test_a_step_line_has_a_corner_for_each_change():
    points = steps(np.array([5.0, 5.0, 3.0, 3.0, 2.0]), float, float)
    assert points == [(1, 5), (3, 5), (3, 3), (5, 3), (5, 2), (5, 2)]


def test_rows_that_differ_in_their_budget_alone_are_a_sweep(view, summary):
    assert [[t.row.label for t in g] for g in budget_sweeps(view, traced(view, summary))] == [["gains 60", "gains 240"]]


def test_the_account_says_in_words_what_its_numbers_mean(view, summary):
    lines = {x.row.label: x for x in search_account(view, summary).lines}
    assert lines["stuck"].remark == "Nothing better than the identity was found."
    assert lines["gains 240"].remark == "The bound promises nothing."
    assert lines["untouched"].remark == "Asked once, for the model as it is."
    assert lines["gains 60"].remark == ""
    assert lines["gains 60"].tune.value == 0.42
    assert lines["gains 60"].report.value == pytest.approx(0.42 + 0.03 + 61 / 4000)
    assert lines["gains 60"].evaluations == "61"


def test_searches_that_kept_the_identity_at_some_seeds_are_counted(view, summary):
    def search(address):
        row, seed = address.split("/")
        chosen = 0 if seed == "0" else 3
        return {"losses": np.full((5, 2), 0.5), "chosen": np.array(chosen)} if row == "gains 60" else {}

    (line,) = search_account(replace(view, search=search), summary).lines
    assert line.remark == "Nothing better than the identity was found in 1 of 2 seeds."


def test_a_search_of_every_item_is_said_to_be_one(view, summary):
    best = np.tile(np.linspace(0.2, 0.6, 9), (4, 1))
    online = replace(view, search=lambda address: {"best": best} if "gains 60" in address else {})
    account = search_account(online, summary)
    assert [f.title for f in account.figures] == ["Best score against evaluations, item by item"]
    assert account.lines[0].remark.startswith("Each program was searched by itself")
    assert account.lines[0].evaluations == "9 a program"


def test_a_run_without_searches_has_no_account(view, summary):
    assert search_account(replace(view, search=lambda _: {}), summary) is None
    assert 'id="search"' not in render(replace(view, search=lambda _: {}))


def test_a_broken_store_does_not_break_the_page(view, summary):
    def gone(address):
        raise OSError("disk")

    assert search_account(replace(view, search=gone), summary) is None


def test_flip_tables_are_the_frame(view, summary):
    (table,) = flip_tables(view, summary)
    whole = view.flips[view.flips["seed"] == "all"].set_index("method")
    assert [x.row.label for x in table.lines] == [r.label for r in ROWS[1:]]
    for line in table.lines:
        for name in ("lost", "gained", "both", "neither", "unpaired"):
            assert getattr(line, name) == whole.loc[line.row.label, name]
    assert max(max(x.share_lost, x.share_gained) for x in table.lines) == 1.0


def test_missing_partners_are_said(view, summary):
    (table,) = flip_tables(view, summary)
    assert table.unpaired
    assert "in none of the counts: stuck 12." in flip_note(table, summary)
    assert "in none of the counts: stuck 12." in render(view, "md")


def test_p_is_called_mcnemars_only_where_items_are_alone(view, summary):
    (table,) = flip_tables(view, summary)
    assert "each problem is a coin toss" in flip_note(table, summary)
    flips = view.flips.assign(clusters=view.flips[["lost", "gained", "both", "neither"]].sum(axis=1))
    (alone,) = flip_tables(replace(view, flips=flips), summary)
    assert flip_note(alone, summary).startswith("p: McNemar's exact test.")


def test_a_flips_frame_without_its_columns_is_refused(view):
    with pytest.raises(BadFrame, match="frame flips lacks the columns lost"):
        replace(view, flips=view.flips.drop(columns="lost"))
