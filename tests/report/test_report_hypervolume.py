"""Hypervolume of sweeps: closed forms, orientation, the reference point, what the jackknife may be trusted with."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import keys
from harness.report import RunView, render
from harness.report.entries import Direction
from harness.report.hypervolume import area, by_pair, item_sums, jackknifed, table, volumes
from harness.report.summary import Column, summarise

ORIGIN = np.zeros(2)
POINTS = st.lists(st.tuples(st.floats(-1, 3), st.floats(-1, 3)), min_size=1, max_size=6)


def _area(*points: tuple[float, float]) -> float:
    return area(np.array(points), ORIGIN)


def test_closed_forms() -> None:
    assert _area((2.0, 3.0)) == 6.0
    assert _area((1.0, 2.0), (2.0, 1.0)) == 3.0
    assert _area((1.0, 2.0), (2.0, 1.0), (0.9, 0.9)) == 3.0  # dominated
    assert _area((1.0, 2.0), (1.0, 2.0)) == 2.0  # twice the same
    assert _area((3.0, 1.0), (2.0, 2.0), (1.0, 3.0)) == 6.0  # a staircase
    assert _area((2.0, 1.0), (2.0, 3.0)) == 6.0  # equal on one metric
    assert _area((-1.0, 5.0)) == 0.0
    assert area(np.array([[2.0, 3.0]]), np.array([1.0, -1.0])) == 4.0


@given(POINTS)
def test_it_is_the_area_that_counting_a_grid_finds(points: list[tuple[float, float]]) -> None:
    """Cell centres of a 300 × 300 grid over [0, 3]²; a staircase of six steps crosses at most 2 · 300 · 6 cells."""
    side = (np.arange(300) + 0.5) / 100
    covered = np.zeros((300, 300), dtype=bool)
    for x, y in points:
        covered |= (side[:, None] < x) & (side[None] < y)
    assert _area(*points) == pytest.approx(covered.sum() / 1e4, abs=0.07)


@given(POINTS, st.floats(-1, 3), st.floats(-1, 3))
def test_a_point_never_takes_area_away_and_order_does_not_matter(
    points: list[tuple[float, float]], x: float, y: float
) -> None:
    more = _area(*points, (x, y))
    assert more >= _area(*points) - 1e-12
    assert _area((x, y), *reversed(points)) == pytest.approx(more, abs=1e-12)


def test_directions_and_reference_point_are_those_of_the_run(view: RunView) -> None:
    """vendi is better high, fd low: by hand for the sweep of the made-up run, from the worst of the ranked rows."""
    summary = summarise(view)
    found = by_pair(volumes(view, summary))["vendi.avatars", "fd.avatars"]
    mine = next(v for v in found if v.family == "spell")
    rows = [r for r in summary.rows if not r.inert and r.done == r.planned]
    at = {r.label: [summary.entry(r.label, m).value or 0.0 for m in ("vendi.avatars", "fd.avatars")] for r in rows}
    worst = min(v for v, _ in at.values()), max(f for _, f in at.values())
    assert (mine.reference_x, mine.reference_y) == pytest.approx(worst)
    points = np.array([[at[r.label][0], -at[r.label][1]] for r in rows if r.family == "spell"])
    assert mine.area == pytest.approx(area(points, np.array([worst[0], -worst[1]])))
    assert mine.points == 3
    assert mine.area > 0
    assert mine.share is not None
    assert 0 < mine.share <= 1
    assert {v.family for v in found} == {r.family for r in rows}


def test_an_inert_row_and_a_metric_without_a_better_side_have_none(view: RunView) -> None:
    found = volumes(view, summarise(view))
    assert not any(v.family == "particle_guidance" for v in found)
    assert not any("color.dominance" in (v.x, v.y) for v in found)


def test_without_values_an_item_the_interval_is_refused_with_its_reason(view: RunView) -> None:
    found = volumes(view, summarise(view))
    assert all(v.low is None for v in found)
    whys = {v.why for v in found if {v.x, v.y} == {"vendi.avatars", "recall.avatars"}}
    assert whys == {"vendi.avatars has no values an item"}


def _column(name: str, direction: Direction) -> Column:
    return Column(name, name, "", direction, None, True, None, ())


COLUMNS = (_column("a", Direction.HIGHER), _column("b", Direction.LOWER))


def _sums(data: np.ndarray) -> dict[tuple[str, str], dict[str, tuple[float, int]]]:
    """data (rows, 2, prompts, items) → the sums of items by prompt."""
    return {
        (f"row {i}", column.name): {f"{p:04d}": (float(x.sum()), len(x)) for p, x in enumerate(data[i, j])}
        for i in range(len(data))
        for j, column in enumerate(COLUMNS)
    }


def _interval(data: np.ndarray, worst: np.ndarray) -> tuple[float | None, float | None, str]:
    values = {f"row {i}": d.mean((1, 2)) * [1.0, -1.0] for i, d in enumerate(data)}
    return jackknifed([*values], COLUMNS, values, worst, _sums(data))


def test_the_jackknife_covers_the_area_of_a_front_that_does_not_change() -> None:
    """Three points far apart, 30 prompts of 4 items, prompt effects shared by the rows: 300 draws, share inside within
    four standard errors of .95."""
    truth = np.array([[1.0, 4.0], [2.0, 3.0], [3.0, 1.5]])  # b is better low: 4 is worst
    worst = np.array([0.0, -5.0])
    wanted = area(truth * [1.0, -1.0], worst)
    hits = 0
    for draw in range(300):
        random = keys.generator(draw, "world", "front")
        prompt = 0.4 * random.standard_normal((1, 2, 30, 1))
        data = truth[:, :, None, None] + prompt + 0.1 * random.standard_normal((3, 2, 30, 4))
        low, high, _ = _interval(data, worst)
        assert low is not None
        assert high is not None
        hits += low <= wanted <= high
    assert hits / 300 == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / 300) ** 0.5)


def test_one_point_has_the_interval_of_a_product() -> None:
    """One row: the area is (a - a0)(b0 - b), whose delta-method error the jackknife equals to second order."""
    random = keys.generator(0, "world", "one")
    data = np.array([2.0, 3.0])[None, :, None, None] + 0.05 * random.standard_normal((1, 2, 400, 1))
    low, high, _ = _interval(data, np.array([0.0, -5.0]))
    a, b = data[0, 0].ravel(), 5.0 - data[0, 1].ravel()
    error = np.std(a.mean() * b + b.mean() * a, ddof=1) / 20
    assert low is not None
    assert high is not None
    assert (high - low) / 2 == pytest.approx(1.966 * error, rel=0.01)


def test_what_the_jackknife_cannot_do_it_says() -> None:
    data = np.ones((1, 2, 8, 2)) * [[[[1.0]], [[2.0]]]]
    values = {"row 0": np.array([1.0, -2.0])}
    worst = np.array([0.0, -3.0])
    assert jackknifed(["row 0"], COLUMNS, values, worst, _sums(data))[2] == ""
    assert (
        jackknifed(["row 0"], COLUMNS, values, worst, _sums(data[:, :, :4]))[2] == "4 clusters of items, fewer than 5"
    )
    other = {"row 0": np.array([1.5, -2.0])}
    assert jackknifed(["row 0"], COLUMNS, other, worst, _sums(data))[2] == "a is not the mean of its items"
    sums = _sums(data)
    del sums["row 0", "b"]["0003"]
    assert (
        jackknifed(["row 0"], COLUMNS, values, worst, sums)[2]
        == "the two metrics do not have the same clusters of items"
    )


def test_item_sums_are_over_seeds(view: RunView) -> None:
    sums = item_sums(view.table_items)["iid", "attr.adherence"]
    frame = view.items[(view.items["method"] == "iid") & (view.items["metric"] == "attr.adherence")]
    assert sum(v for v, _ in sums.values()) == pytest.approx(frame["value"].sum())
    assert sum(n for _, n in sums.values()) == len(frame)
    assert item_sums(view.items.iloc[:0]) == {}


def test_the_page_shows_it_beside_the_front_and_the_table_holds_every_field(view: RunView) -> None:
    page = render(view, "html")
    assert "Hypervolume above the worst values of the run" in page
    first = re.search(r'<figure class="tradeoff".*?</figure>', page, re.S)
    assert first is not None
    assert "% of the box, 3 points" in first[0]
    frame = table(volumes(view, summarise(view)))
    assert list(frame.columns[:4]) == ["family", "x", "y", "points"]
    assert (frame["area"] >= 0).all()
    assert not frame.duplicated(["family", "x", "y"]).any()


def test_a_run_of_one_row_has_no_hypervolume(view: RunView) -> None:
    alone = replace(
        view,
        scores=view.scores[view.scores["method"] == "iid"],
        items=view.items[view.items["method"] == "iid"],
        cells=view.cells[view.cells["method"] == "iid"],
    )
    assert volumes(alone, summarise(alone)) == ()
    assert next(iter(table(()).columns)) == "family"
