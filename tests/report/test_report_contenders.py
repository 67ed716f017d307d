"""Bold means: not distinguishable from the best, and something is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.contenders import contenders, disjoint, distances
from harness.report.entries import Delta, Direction, Entry


def entry(method, value, half=None, delta=None):
    low, high = (None, None) if half is None else (value - half, value + half)
    return Entry(method, "m", "m[v=1]", value, low, high, 100, "t", "ok", "", delta)


def delta(value, half, p_holm, against="base"):
    return Delta(against, value, value - half, value + half, p_holm, p_holm)


def test_a_method_clearly_above_its_baseline_is_bold_alone():
    found = contenders([entry("base", 5, 1), entry("a", 6, 1, delta(1, 0.4, 0.001))], Direction.HIGHER)
    assert found == {"a"}


def test_a_gain_that_holm_does_not_confirm_leaves_nothing_bold():
    found = contenders([entry("base", 5, 1), entry("a", 6, 1, delta(1, 0.9, 0.08))], Direction.HIGHER)
    assert found == frozenset()


def test_overlapping_differences_from_one_baseline_are_bold_together():
    rows = [
        entry("base", 5, 1),
        entry("a", 8, 1, delta(3, 0.4, 0.001)),
        entry("b", 7.5, 1, delta(2.5, 0.4, 0.001)),
        entry("c", 6, 1, delta(1, 0.4, 0.001)),
    ]
    assert contenders(rows, Direction.HIGHER) == {"a", "b"}


def test_disjoint_differences_decide_although_the_values_overlap():
    rows = [entry("base", 5, 2), entry("a", 8, 2, delta(3, 0.2, 0.001)), entry("b", 7.5, 2, delta(2.5, 0.2, 0.001))]
    assert contenders(rows, Direction.HIGHER) == {"a"}


def test_lower_is_better_turns_the_order():
    rows = [entry("base", 5, 1), entry("a", 8, 1, delta(3, 0.4, 0.001))]
    assert contenders(rows, Direction.LOWER) == {"base"}


def test_values_without_intervals_are_never_bold():
    assert contenders([entry("a", 1), entry("b", 2)], Direction.HIGHER) == frozenset()


def test_a_metric_without_a_better_side_has_no_bold():
    rows = [entry("a", 1, 0.1), entry("b", 2, 0.1)]
    assert contenders(rows, Direction.NONE) == frozenset()
    assert contenders(rows, Direction.TARGET) == frozenset()


def test_a_target_is_judged_by_the_distance_from_its_ideal():
    rows = [entry("far", 0.9, 0.02), entry("near", 0.52, 0.02), entry("other side", 0.1, 0.02)]
    assert contenders(rows, Direction.TARGET, ideal=0.5) == {"near"}


def test_a_missing_value_does_not_compete():
    gone = Entry("gone", "m", "m", None, None, None, None, "", "oom", "memory")
    assert contenders([entry("a", 1, 0.1), gone], Direction.HIGHER) == frozenset()
    assert contenders([entry("a", 1, 0.1), entry("b", 2, 0.1), gone], Direction.HIGHER) == {"b"}


@given(st.lists(st.tuples(st.floats(-10, 10), st.floats(0.01, 3)), min_size=2, max_size=8))
def test_the_best_value_is_bold_whenever_anything_is_and_order_does_not_matter(rows):
    made = [entry(f"m{i}", v, h) for i, (v, h) in enumerate(rows)]
    found = contenders(made, Direction.HIGHER)
    best = max(made, key=lambda e: e.value)
    assert not found or any(e.method in found for e in made if e.value == best.value)
    assert len(found) < len(made)
    if len({v for v, _ in rows}) == len(rows):
        assert contenders(made[::-1], Direction.HIGHER) == found


def test_distance_of_an_interval_over_the_ideal_starts_at_zero():
    assert distances(entry("a", 0.5, 0.1), 0.55) == pytest.approx((0.0, 0.15))
    assert not disjoint((0, 1), (1, 2))
    assert not disjoint((None, 1), (2, 3))
