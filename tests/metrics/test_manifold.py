"""Precision, recall, density, coverage: conventions, planted collapse, leave-one-group-out, level of the interval."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import manifold, neighbors
from harness.metrics.manifold import (
    Coverage,
    Density,
    Precision,
    Recall,
    coverage,
    density,
    overlap,
    precision,
    recall,
)
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus
from harness.stats.groups import jackknife_groups
from harness.stats.intervals import interval
from harness.stats.paired import paired_difference
from harness.stats.units import CannotInfer, Estimator

FOUR = (precision, recall, density, coverage)
CLASSES = (Precision, Recall, Density, Coverage)


def evidence(x: np.ndarray, y: np.ndarray, prompts: int = 10) -> Evidence:
    prompt = np.arange(len(x)) % prompts
    who = Items(prompt, np.arange(len(x)) // prompts, prompt, tuple(f"prompt {p}" for p in range(prompts)))
    return Evidence(who, features={("generated", "avatars"): x, ("reference", "avatars"): y})


def whole(quantity, x, y, k: int = 5, closed: bool = False) -> float:
    return quantity(x, y, np.zeros(len(x), dtype=int), 1, k, closed).full


def by_definition(x, y, k: int, closed: bool) -> dict:
    def distance(a, b):
        return ((a[:, None] - b[None]) ** 2).sum(-1)

    def radius(a):
        return np.sort(distance(a, a) + np.diag(np.full(len(a), np.inf)), axis=1)[:, k - 1]

    def within(d, r):
        return d <= r if closed else d < r

    real, fake = within(distance(y, x), radius(y)[:, None]), within(distance(y, x), radius(x)[None])
    return {
        precision: real.any(0).mean(),
        recall: fake.any(1).mean(),
        density: real.sum(0).mean() / k,
        coverage: real.any(1).mean(),
    }


@settings(max_examples=40, deadline=None)
@given(st.integers(14, 40), st.integers(8, 40), st.integers(1, 5), st.integers(0, 2**31), st.booleans(), st.booleans())
def test_values_with_and_without_each_group_are_those_of_the_definition(n, m, d, seed, closed, grid) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    if grid:
        x, y = np.round(x), np.round(y)
    cluster = np.array([f"{min(i % 8, 5)}" for i in range(n)])  # groups of unequal size
    groups = jackknife_groups(cluster)
    for quantity in FOUR:
        try:
            found = quantity(x, y, groups.index, len(groups), 2, closed)
        except CannotMeasure:
            continue
        assert found.full == pytest.approx(by_definition(x, y, 2, closed)[quantity], abs=1e-12)
        for g in range(len(groups)):
            without = by_definition(x[groups.index != g], y, 2, closed)[quantity]
            assert found.left_out[g] == pytest.approx(without, abs=1e-12), quantity.__name__


def test_identical_sets_are_perfect() -> None:  # T22
    x = np.random.default_rng(0).normal(size=(200, 16)) + 3
    for quantity in FOUR:
        assert whole(quantity, x, x.copy()) == pytest.approx(1.0, abs=1e-12)
    assert whole(density, x, x.copy(), k=5, closed=True) == pytest.approx(1.2, abs=1e-12)


def test_comparison_and_k_are_in_the_id() -> None:  # T21, T22
    ids = {str(Precision("avatars", k=k, comparison=c).identify()) for k in (3, 5) for c in ("lt", "le")}
    assert len(ids) == 4
    assert "precision.avatars[k=5,comparison=lt,v=1]" in ids


@pytest.mark.parametrize("metric", CLASSES)
def test_sets_without_any_radius_are_undefined(metric) -> None:  # T22; prdc says 0,0,0,0
    case = evidence(np.ones((100, 4)), np.ones((100, 4)))
    with pytest.raises(CannotMeasure, match="coincides with its 5 nearest") as caught:
        metric("avatars").measure(case)
    assert caught.value.status is ScoreStatus.UNDEFINED


def test_mode_collapse_is_precise_and_recalls_nothing() -> None:  # T23; measured 1.0, 0.0, 10.5, .1
    rng = np.random.default_rng(1)
    centers = 20 * rng.normal(size=(10, 16))
    real = centers[np.arange(500) % 10] + rng.normal(size=(500, 16))
    fake = centers[0] + 0.3 * rng.normal(size=(500, 16))
    assert whole(precision, fake, real) >= 0.95
    assert whole(recall, fake, real) <= 0.3
    assert whole(density, fake, real) > 5
    assert whole(coverage, fake, real) <= 0.15
    assert whole(precision, real, fake) <= 0.3  # swapped arguments, swapped verdict
    assert whole(recall, real, fake) >= 0.95


def test_equal_laws_are_far_from_one_and_the_companion_says_so() -> None:
    """d = 64, N = 1000, k = 5: precision .753 measured on identical laws."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(1000, 64)), rng.normal(size=(2000, 64))
    assert whole(precision, x, y[:1000]) == pytest.approx(0.753, abs=0.04)  # ± 3 sd of the binomial
    found = Precision("avatars").measure(evidence(x, y))
    assert found.companions["same"].value == pytest.approx(found.value, abs=0.06)
    assert found.companions["same"].n == 1000
    assert found.companions["same"].value == Precision("avatars").measure(evidence(x, y)).companions["same"].value


def test_order_of_items_and_references_changes_nothing() -> None:  # T13
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(200, 8)), rng.normal(size=(300, 8))
    case = evidence(x, y)
    order = rng.permutation(200)
    items = case.items
    moved = Items(items.prompt[order], items.sample[order], items.group[order], items.prompts)
    other = Evidence(moved, features={("generated", "avatars"): x[order], ("reference", "avatars"): rng.permutation(y)})
    for metric in CLASSES:
        one, two = metric("avatars").measure(case), metric("avatars").measure(other)
        assert one.value == pytest.approx(two.value, abs=1e-12)
        assert one.units.value == pytest.approx(two.units.value, abs=1e-9)
        assert one.companions["same"].value == two.companions["same"].value


def test_companion_is_absent_where_half_the_reference_is_too_small() -> None:
    rng = np.random.default_rng(3)
    found = Coverage("avatars").measure(evidence(rng.normal(size=(60, 4)), rng.normal(size=(90, 4))))
    assert "same" not in found.companions


def test_duplicated_references_raise_the_flag_and_move_density() -> None:  # T25
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(200, 8)), rng.normal(size=(200, 8))
    once, twice = (Density("avatars").measure(evidence(x, r)) for r in (y, np.repeat(y, 2, axis=0)))
    assert once.companions["duplicates"].value == 0.0
    assert twice.companions["duplicates"].value == 1.0
    assert abs(once.value - twice.value) > 0.1


@pytest.mark.parametrize("metric", CLASSES)
def test_fewer_than_ten_items_a_neighbor_have_no_value(metric) -> None:
    rng = np.random.default_rng(5)
    for n, m in ((49, 100), (100, 49)):
        with pytest.raises(CannotMeasure, match=r"at least 50 .* found 49") as caught:
            metric("avatars").measure(evidence(rng.normal(size=(n, 4)), rng.normal(size=(m, 4))))
        assert caught.value.status is ScoreStatus.INSUFFICIENT_N


def test_unequal_n_is_refused() -> None:  # T21
    rng = np.random.default_rng(6)
    y = rng.normal(size=(100, 4))
    one, two = (Recall("avatars").measure(evidence(rng.normal(size=(n, 4)), y)) for n in (100, 80))
    with pytest.raises(CannotInfer, match="another n"):
        paired_difference(Estimator.KNN_COUNT, one.units, two.units)


def test_jackknife_intervals_hold_their_levels() -> None:  # measured .96, .97, .91, .99
    """Share of intervals that hold the mean over draws; d = 16, n = 500, k = 5, G = 10, reference fixed."""
    rng = np.random.default_rng(7)
    y = rng.normal(size=(500, 16))
    groups = jackknife_groups(np.array([f"{i % 10}" for i in range(500)]))
    draws = [overlap(0.05 + rng.normal(size=(500, 16)), y, groups.index, 10, 5, False) for _ in range(300)]
    for name, least in (("precision", 0.92), ("recall", 0.93), ("density", 0.88), ("coverage", 0.93)):
        shares = [draw.share(name) for draw in draws]
        found = [interval(Estimator.KNN_COUNT, groups.units(s.full, s.left_out), value=s.full) for s in shares]
        mean = np.mean([s.full for s in shares])
        assert np.mean([f.low < mean < f.high for f in found]) > least, name


def test_a_ball_grows_past_many_neighbors_of_the_group_that_left() -> None:
    """Each item of group 0 lies among 30 of group 1: without them its ball reaches far beyond the 2k nearest."""
    rng = np.random.default_rng(9)
    seats = 10 * rng.normal(size=(12, 3))
    x = np.concatenate(
        [seats, np.repeat(seats, 30, axis=0) + 0.1 * rng.normal(size=(360, 3)), rng.normal(size=(60, 3))]
    )
    group = np.r_[np.zeros(12, int), np.ones(360, int), np.arange(60) % 3 + 2]
    y = 8 * rng.normal(size=(150, 3))
    found = recall(x, y, group, 5, 3, False)
    for g in range(5):
        assert found.left_out[g] == pytest.approx(by_definition(x[group != g], y, 3, False)[recall], abs=1e-12)
    assert found.left_out[1] > found.full  # the balls that remain are large


def test_a_collapsed_generated_set_has_a_precision_and_no_recall() -> None:
    rng = np.random.default_rng(10)
    x, y = np.zeros((60, 4)), rng.normal(size=(100, 4))
    assert whole(precision, x, y) == by_definition(x, y, 5, False)[precision]
    with pytest.raises(CannotMeasure, match="every generated item coincides"):
        whole(recall, x, y)
    with pytest.raises(CannotMeasure, match="every reference item coincides"):
        whole(coverage, y, x)
    assert whole(recall, y, x) == by_definition(y, x, 5, False)[recall]


def test_a_group_that_leaves_no_neighbors_refuses_recall_only() -> None:
    rng = np.random.default_rng(11)
    x, y = rng.normal(size=(60, 4)), rng.normal(size=(100, 4))
    group = np.r_[np.zeros(56, int), np.arange(1, 5)]
    with pytest.raises(CannotMeasure, match="without one of its groups"):
        recall(x, y, group, 5, 5, False)
    assert len(coverage(x, y, group, 5, 5, False).left_out) == 5


def test_the_four_metrics_of_a_cell_share_one_search(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(manifold, "overlap", lambda *a: calls.append(a) or overlap(*a))
    rng = np.random.default_rng(12)
    x, y = rng.normal(size=(100, 8)).astype(np.float32), rng.normal(size=(200, 8)).astype(np.float32)
    values = [metric("avatars").measure(evidence(x, y)).value for metric in CLASSES]
    assert len(calls) == 2  # generated against reference, and the split of the reference
    nudged = x.copy()
    nudged[0, 0] += 1
    again = Precision("avatars").measure(evidence(nudged, y))
    assert len(calls) == 3  # the split is that of the run
    assert values[0] != again.value or not np.array_equal(x, nudged)
    Precision("avatars", k=4).measure(evidence(x, y))
    assert len(calls) == 5


def test_memory_stays_far_below_a_matrix_of_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "BLOCK", 1 << 16)
    monkeypatch.setattr(neighbors, "CANDIDATES", 1 << 16)
    rng = np.random.default_rng(13)
    x, y = (rng.normal(size=(4000, 32)).astype(np.float32) for _ in range(2))
    group = np.arange(4000) // 10 % 10
    tracemalloc.start()
    overlap(x, y, group, 10, 5, False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.25 * 4000 * 4000 * 4  # the float32 matrix; by definition three float64 ones are made
