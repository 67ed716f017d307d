"""The matrix of recognisers: the frame's numbers, the record's classes, and statuses that are never a number."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import made_cloaks
import pandas as pd
import pytest
from made_cloaks import RECOGNISERS, ROWS, WEAK, make_view

from harness.report import render
from harness.report.kinship import Kin
from harness.report.matrix import matrices, matrix_rows, split
from harness.report.rounding import digits
from harness.report.summary import summarise
from harness.report.terminal import as_text

DODGE = "ver.dodge_cond"


@pytest.fixture(scope="module")
def view():
    return make_view()


@pytest.fixture(scope="module")
def found(view):
    return matrices(view, summarise(view))


@pytest.fixture(scope="module")
def text(view):
    return render(view)


def cells(text):
    """(row, metric) → (classes, style, inside) of the cells of all matrices on a page."""
    section = text.split('<section id="matrix">')[1].split("</section>")[0]
    result = {}
    for row, inside in re.findall(r'<tr class="[^"]*" data-row="([^"]+)">(.*?)</tr>', section, re.S):
        for classes, metric, style, body in re.findall(
            r'<td class="(cell[^"]*)" data-metric="([^"]+)"([^>]*)>(.*?)</td>', inside, re.S
        ):
            result[unescape(row), metric] = classes.split(), style, body
    return result


def test_every_family_of_recognisers_has_a_matrix_and_dodging_comes_first(found):
    assert [m.family for m in found] == [DODGE, "ver.leak", "id.untargeted_cond"]
    assert [[t.recogniser.name for t in m.targets] for m in found] == [list(RECOGNISERS)] * 3
    assert [x.row.label for x in found[0].lines] == [r.label for r in ROWS]


def test_every_number_is_the_frames_aggregate(view, text):
    shown = cells(text)
    rows = view.scores[(view.scores["seed"] == "all") & view.scores["metric"].isin([m for _, m in shown])]
    assert len(rows) == len(shown) == 3 * len(RECOGNISERS) * len(ROWS)
    for row in rows.itertuples():
        _, _, body = shown[row.method, row.metric]
        numbers = [(float(v), t) for v, t in re.findall(r'<data value="([^"]+)">([^<]+)</data>', body)]
        if row.status == "ok":
            d = digits(row.value, row.ci_low, row.ci_high)
            assert numbers == [(v, d.text(v)) for v in (row.value, row.ci_low, row.ci_high)]
        else:
            assert numbers == []


def test_a_cell_without_a_value_says_status_and_reason_and_has_no_color(text):
    shown = cells(text)
    for at, words in {
        ("blur", f"{DODGE}.{WEAK}"): ("undefined", "no_clean_match"),
        ("tip_im", f"{DODGE}.avatars-vit"): ("failed", "no average over a gap"),
    }.items():
        classes, style, body = shown[at]
        assert all(w in body for w in words)
        assert "plain-scale" in classes
        assert "--w" not in style
        assert "<data" not in body


def test_classes_are_the_records_and_nothing_else(view, text):
    shown = cells(text)
    for row in ROWS:
        for name, kin in zip(RECOGNISERS, row.classes or ("",) * 6, strict=True):
            classes, _, body = shown[row.label, f"{DODGE}.{name}"]
            assert {"white", "grey", "black"} & set(classes) == ({kin} if kin else set())
            assert re.findall(r'aria-label="(\w+)"', body) == ([kin] if kin else [])
    bare = replace(make_view(ROWS[:3]), kinship={})
    assert not any({"white", "grey", "black"} & set(c) for c, _, _ in cells(render(bare)).values())
    assert matrices(bare, summarise(bare))[0].kins == ()


def test_another_class_in_the_record_moves_the_mark(view):
    kinship = {**view.kinship, "fawkes": {**view.kinship["fawkes"], "avatars-cnn": "white"}}
    found = matrices(replace(view, kinship=kinship), summarise(view))[0]
    line = next(x for x in found.lines if x.row.label == "fawkes")
    assert line.cells[list(RECOGNISERS).index("avatars-cnn")].kin is Kin.WHITE


def test_a_class_that_nobody_knows_is_no_class(view):
    found = matrices(replace(view, kinship={"fawkes": {"avatars-cnn": "pink"}}), summarise(view))[0]
    assert {c.kin for x in found.lines for c in x.cells} == {Kin.NONE}


def test_the_color_is_stronger_where_the_person_is_better_protected(found):
    for matrix in found:
        scored = [c for x in matrix.lines for c in x.cells if c.entry.ok]
        lower = matrix.family == "ver.leak"
        for cell in scored:
            assert cell.strength == pytest.approx(1 - cell.entry.value if lower else cell.entry.value, abs=1e-4)
    assert found[1].ends == ("1", "0")
    assert found[0].ends == ("0", "1")


def test_a_metric_without_a_better_side_has_no_color(view):
    scores = view.scores.assign(direction=view.scores["direction"].where(view.scores["metric"] != "x", ""))
    scores.loc[scores["metric"].str.startswith("ver.leak"), "direction"] = "none"
    neutral = replace(view, scores=scores)
    leak = next(m for m in matrices(neutral, summarise(neutral)) if m.family == "ver.leak")
    assert all(c.strength is None for x in leak.lines for c in x.cells)


def test_a_metric_in_other_units_is_colored_over_its_own_range(view):
    scores = view.scores.copy()
    leak = scores["metric"].str.startswith("ver.leak")
    scores.loc[leak, "unit"] = "dB"
    scores.loc[leak, ["value", "ci_low", "ci_high"]] *= 100
    other = replace(view, scores=scores)
    matrix = next(m for m in matrices(other, summarise(other)) if m.family == "ver.leak")
    strengths = [c.strength for x in matrix.lines for c in x.cells if c.strength is not None]
    assert (min(strengths), max(strengths)) == (0.0, 1.0)


def test_the_head_has_family_and_release_and_warns_of_weak_recognisers(found):
    head = {t.recogniser.name: t for t in found[0].targets}
    assert head["avatars-vit"].recogniser.facts == ("vit", "avatars people-c", "2026-11-20")
    assert {n for n, t in head.items() if t.weak} == {WEAK}
    assert head[WEAK].weak.value == 0.71


def test_a_fine_tuned_recogniser_names_whose_weights_it_has(view):
    about = {**view.recognisers["avatars-cnn"], "weights": "avatars-vit"}
    tuned = replace(view, recognisers={**view.recognisers, "avatars-cnn": about})
    assert "weights of avatars-vit" in matrices(tuned, summarise(tuned))[0].targets[4].recogniser.facts


def test_black_cells_are_summed_up_by_their_ends(found):
    line = next(x for x in found[0].lines if x.row.label == "pgd eps=8")
    black = [c for c in line.cells if c.kin is Kin.BLACK]
    values = sorted((c.entry.value, c.value.text) for c in black)
    assert line.black == f"{values[0][1]} – {values[-1][1]}"
    assert next(x for x in found[0].lines if x.row.label == "tip_im").black == ""
    assert next(x for x in found[0].lines if x.row.label == "identity").black == ""


def test_two_recognisers_make_no_matrix():
    view, two = make_view(ROWS[:3]), list(RECOGNISERS)[:2]
    kept = view.scores[view.scores["metric"].map(lambda m: m in ("ssim", *(f"{DODGE}.{n}" for n in two)))]
    few = replace(view, scores=kept)
    assert matrices(few, summarise(few)) == ()
    assert 'id="matrix"' not in render(few)


def test_metrics_that_share_a_beginning_but_name_no_recogniser_make_no_matrix():
    known = frozenset(RECOGNISERS)
    assert split("attr.adherence", known) is None
    assert split("attr.adherence", frozenset()) is None
    assert split("ver.leak.other", known) is None
    assert split("ver.leak.other", frozenset()) == ("ver.leak", "other")
    assert split("ver.dodge_cond.avatars-vit protocol=P", known) == ("ver.dodge_cond", "avatars-vit")


def test_recognisers_asked_under_several_protocols_stay_in_one_matrix_of_each_protocol():
    """Only two recognisers are asked for protocol P, so only their columns are named by it."""
    view = make_view(ROWS[:3])
    dodge = view.scores["metric"].str.startswith(DODGE) & ~view.scores["metric"].str.endswith("weak_recogniser")
    one = view.scores.copy()
    one.loc[dodge, "metric_id"] = one.loc[dodge, "metric_id"].str.replace("far=0.01", "far=0.01,protocol=E")
    two = one[one["metric"].isin([f"{DODGE}.avatars-vit", f"{DODGE}.avatars-cnn"])].copy()
    two["metric_id"] = two["metric_id"].str.replace("protocol=E", "protocol=P")
    both = replace(view, scores=pd.concat([one, two], ignore_index=True))
    found = matrices(both, summarise(both))
    assert found[0].family == f"{DODGE} protocol=E"
    assert [t.recogniser.name for t in found[0].targets] == list(RECOGNISERS)
    assert not any("protocol=P" in m.family for m in found)


def test_a_sweep_over_surrogates_does_not_say_them_twice(view):
    points = view.cells["point"].where(view.cells["method"] != "lowkey", '{"surrogates": "all"}')
    swept = replace(view, cells=view.cells.assign(point=points))
    words = {x.row.label: x.surrogates for x in matrices(swept, summarise(swept))[0].lines}
    assert words["lowkey"] == ""
    assert words["privacygan"] == "avatars-resnet-a"
    assert words["noise eps=4"] == ""


def test_a_row_whose_options_name_no_surrogates_is_said_to_optimise_on_its_white_ones(view):
    params = view.scores["params"].where(view.scores["method"] != "mi_di_ti eps=8", '{"eps": 8}')
    silent = replace(view, scores=view.scores.assign(params=params))
    words = {x.row.label: x.surrogates for x in matrices(silent, summarise(silent))[0].lines}
    assert words["mi_di_ti eps=8"] == "avatars-resnet-a+avatars-vit"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_terminal_sums_up_the_first_matrix_by_class(view, found, width):
    text = as_text(view, width)
    assert max(len(line) for line in text.split("\n")) <= width
    block = text.split(f"{DODGE} ↑")[-1].split("\n")
    shown = {line.split("  ")[0].strip(): line.split()[-3:] for line in block[2:] if len(line.split()) >= 4}
    line = next(x for x in found[0].lines if x.row.label == "lowkey")
    for kin, text_ in zip(("white", "grey", "black"), shown["lowkey"], strict=True):
        values = sorted(c.entry.value for c in line.cells if c.kin == kin)
        assert text_ == "–".join(dict.fromkeys(f"{v:.2f}" for v in (values[0], values[-1])))
    assert shown["tip_im"] == ["failed"] * 3
    assert not any(name.startswith(("noise", "identity")) for name in shown)


def test_a_run_of_other_tasks_has_none_of_the_sections():
    from made_outputs import make_view as other

    page = render(other("texts"))
    assert not re.search(r'id="(matrix|protection|cloaks)"', page)


def test_markdown_has_the_same_matrix(view, found):
    text = render(view, "md")
    table = text.split("## ver.dodge\\_cond ↑ by recogniser")[1].split("\n## ")[0]
    lines = [[c.strip() for c in line.strip("|").split(" | ")] for line in table.split("\n") if line.startswith("|")]
    head, body = matrix_rows(found[0])
    assert lines[0] == head
    assert len(lines) == 2 + len(body)
    row = next(x for x in lines if x[0] == "pgd eps=8")
    assert row[2].endswith("white")
    assert row[3].endswith("grey")
    assert row[4].endswith("black")
    assert "undefined: no\\_clean\\_match" in table
    assert "- avatars-vit: vit, avatars people-c, 2026-11-20" in table


def test_the_made_up_run_has_every_class(found):
    assert found[0].kins == (Kin.WHITE, Kin.GREY, Kin.BLACK)
    assert len(made_cloaks.ROWS) >= 12
