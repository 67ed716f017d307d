"""Protection against picture change: points, lines, directions, and names that cover nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from made_cloaks import RECOGNISERS, ROWS, make_view
from made_outputs import make_view as searched

from harness.report import render
from harness.report.labels import LETTER, LINE, Box, Labels
from harness.report.protection import prices
from harness.report.summary import summarise

NAME = re.compile(r'<text x="([\d.-]+)" y="([\d.-]+)" class="(?:name|base-name)" text-anchor="(\w+)">([^<]+)</text>')


@pytest.fixture(scope="module")
def view():
    return make_view()


@pytest.fixture(scope="module")
def drawn(view):
    return {(p.protects.name, p.change.name): p for p in prices(summarise(view))}


def boxes(drawing):
    """Names of a drawing with the rectangles that they cover."""
    found = []
    for x, y, anchor, text in NAME.findall(str(drawing)):
        width = len(text) * LETTER
        left = float(x) - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        found.append((text, Box(left, float(y) - 3.8 - LINE / 2, left + width, float(y) - 3.8 + LINE / 2)))
    return found


def overlapping(found):
    slack = 0.2  # the drawing's coordinates are rounded
    small = [(t, Box(b.left + slack, b.top + slack, b.right - slack, b.bottom - slack)) for t, b in found]
    return [(s, t) for i, (s, a) in enumerate(small) for t, b in small[:i] if a.touches(b)]


def test_every_protection_is_drawn_against_every_picture_change(drawn):
    assert set(drawn) == {
        (f"ver.dodge_cond.{r}", c) for r in RECOGNISERS for c in ("ssim", "pd.avatars.source", "psnr")
    }


def dots(price):
    """label → (x, y) of the marks, from their titles."""
    found = {}
    for kind, inside in re.findall(
        r"<(circle|rect|polygon)((?:(?!</\1>).)*class=\"dot\".*?)</\1>", str(price.drawing), re.S
    ):
        name = re.search(r"<title>(.*?): ", inside)[1]
        if kind == "circle":
            at = (float(re.search(r'cx="([^"]+)"', inside)[1]), float(re.search(r'cy="([^"]+)"', inside)[1]))
        elif kind == "rect":
            at = tuple(float(re.search(rf' {k}="([^"]+)"', inside)[1]) + 4 for k in "xy")
        else:
            first = re.search(r'points="([\d.-]+),([\d.-]+) ', inside)
            at = float(first[1]), float(first[2]) + 5.5
        found[name] = at
    return found


@pytest.mark.parametrize("change", ["ssim", "psnr", "pd.avatars.source"])
def test_pictures_change_more_to_the_right_and_protection_grows_upwards(view, drawn, change):
    scores = view.scores[(view.scores["seed"] == "all") & (view.scores["status"] == "ok")].set_index(
        ["method", "metric"]
    )
    metric = "ver.dodge_cond.avatars-vit"
    at = dots(drawn[metric, change])
    x = {r: scores.loc[(r, change), "value"] for r in at}
    y = {r: scores.loc[(r, metric), "value"] for r in at}
    right = -1 if change in ("ssim", "psnr") else 1
    for one in at:
        for two in at:
            assert (at[one][0] - at[two][0]) * right * (x[one] - x[two]) >= 0
            assert (at[one][1] - at[two][1]) * (y[one] - y[two]) <= 0


def test_rows_that_are_not_drawn_are_named_with_their_reason(drawn):
    left = {r.label: why for r, why in drawn["ver.dodge_cond.avatars-weak", "psnr"].left_out}
    assert left["tip_im"].startswith("psnr failed")
    assert "infinite" in left["identity"]
    assert "no_clean_match" in left["blur"]
    assert "far to the right" in left["another_photo"]
    assert set(left) | set(dots(drawn["ver.dodge_cond.avatars-weak", "psnr"])) == {r.label for r in ROWS}


def test_a_lone_control_that_changes_little_stays_in_the_drawing(drawn):
    assert "blur" in dots(drawn["ver.dodge_cond.avatars-vit", "ssim"])


def test_each_sweep_is_one_line_and_matched_noise_is_dashed(drawn):
    drawing = str(drawn["ver.dodge_cond.avatars-vit", "ssim"].drawing)
    assert len(re.findall(r'class="line"', drawing)) == 2  # pgd, mi_di_ti
    assert len(re.findall(r'class="line control-line"', drawing)) == 1
    lines = re.findall(r'<path d="M([^"]+)" class="line', drawing)
    for line in lines:
        xs = [float(p.split(" ")[0]) for p in line.split("L")]
        assert xs == sorted(xs)  # by the swept value: 4, 8, 16


def test_a_sweep_out_of_order_is_still_joined_by_its_values(view):
    rows = list(ROWS)
    rows[1], rows[3] = rows[3], rows[1]
    mixed = make_view(tuple(rows))
    drawing = str(prices(summarise(mixed))[0].drawing)
    xs = [float(p.split(" ")[0]) for p in re.search(r'<path d="M([^"]+)" class="line"', drawing)[1].split("L")]
    assert xs == sorted(xs)


def test_both_intervals_are_drawn(view, drawn):
    count = len(dots(drawn["ver.dodge_cond.avatars-vit", "ssim"]))
    assert str(drawn["ver.dodge_cond.avatars-vit", "ssim"].drawing).count('class="whisker"') == 2 * count


def test_points_are_named_by_the_swept_value_and_no_name_covers_another_or_a_mark(drawn):
    for price in drawn.values():
        names = boxes(price.drawing)
        assert overlapping(names) == []
        marks = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in dots(price).values()]
        assert not [t for t, b in names if any(b.touches(m) for m in marks)]
        assert len(names) == len(dots(price))
    texts = [t for t, _ in boxes(drawn["ver.dodge_cond.avatars-vit", "ssim"].drawing)]
    assert {"pgd 4", "8", "16", "mi_di_ti 4", "noise 4", "lowkey"} <= set(texts)


def test_one_row_makes_no_drawing(view):
    scores = view.scores[view.scores["method"].isin(["lowkey"])]
    assert prices(summarise(replace(view, scores=scores, cells=view.cells[view.cells["method"] == "lowkey"]))) == ()


def test_a_crowd_of_names_at_one_place_is_spread():
    labels = Labels(Box(0, 0, 300, 200))
    for _ in range(12):
        labels.keep_clear(150, 100)
    texts = [labels.beside(f"row {i}", 150, 100) for i in range(12)]
    assert all(texts)
    assert not any(a.touches(b) for i, a in enumerate(labels.names) for b in labels.names[:i])
    assert any("leader" in t for t in texts)


def test_a_full_drawing_leaves_a_name_out_rather_than_cover_another():
    labels = Labels(Box(0, 0, 60, 30))
    assert [bool(labels.beside("a long name", 30, 15)) for _ in range(6)].count(True) < 6
    assert not any(a.touches(b) for i, a in enumerate(labels.names) for b in labels.names[:i])


@pytest.mark.parametrize("report", [0.5, 0.4995, 0.503, 0.53, 0.42])
def test_names_of_levels_in_a_search_figure_do_not_cover_each_other(report):
    view = searched("texts")
    scores = view.scores.copy()
    scores.loc[(scores["method"] == "untouched") & (scores["metric"] == "search.gap.report"), "value"] = report
    page = render(replace(view, scores=scores))
    drawing = page.split('class="searched"')[1].split("</svg>")[0]
    names = boxes(drawing)
    assert sorted(t for t, _ in names) == ["untouched, report items", "untouched, tune items"]
    assert overlapping(names) == []


def test_levels_one_pixel_apart_stand_on_both_sides():
    labels = Labels(Box(0, 0, 300, 100))
    labels.along("upper", 50.0, 290.0, class_="base-name")
    labels.along("lower", 51.0, 290.0, class_="base-name")
    upper, lower = labels.names
    assert upper.bottom <= 50 < 51 <= lower.top
    assert np.isclose(upper.right, lower.right)
