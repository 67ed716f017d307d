"""Intervals: the estimator and the kind of units choose the method; levels hold in simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.stats.intervals import interval, ratio_items, standard_error
from harness.stats.units import CannotInfer, Estimator, NoSpread, UnitKind, Units

FINITE = st.floats(-1e3, 1e3, allow_nan=False).map(lambda v: round(v, 3))


def items(value, cluster=None) -> Units:
    value = np.asarray(value, dtype=np.float64)
    key = np.array([f"{i:05d}" for i in range(len(value))])
    return Units(UnitKind.ITEMS, key, key if cluster is None else np.asarray(cluster, dtype=str), value)


def other(kind: UnitKind, value) -> Units:
    u = items(value)
    return Units(kind, u.key, u.cluster, u.value)


@pytest.mark.parametrize(("n", "critical"), [(2, 12.706), (3, 4.303), (4, 3.182), (5, 2.776), (8, 2.365), (10, 2.262)])
def test_few_seeds_take_students_critical_values(n: int, critical: float) -> None:  # T53
    units = items(np.arange(n, dtype=float))
    found = interval(Estimator.SEEDS, units)
    assert (found.high - found.low) / 2 / standard_error(units) == pytest.approx(critical, abs=5e-4)
    assert found.method == f"t(seeds={n})"


def test_one_seed_has_no_interval() -> None:  # T53
    with pytest.raises(CannotInfer, match="describe this model, not the method"):
        interval(Estimator.SEEDS, items([0.3]))


def test_three_seeds_are_covered_at_the_nominal_level() -> None:  # measured .948; z would give .81
    rng = np.random.default_rng(0)
    hits = [i.low < 0 < i.high for i in (interval(Estimator.SEEDS, items(rng.normal(size=3))) for _ in range(2000))]
    assert 0.935 < np.mean(hits) < 0.965  # 3 standard errors of 2000 runs


def test_clusters_hold_the_level_and_ignoring_them_does_not() -> None:  # T54
    rng = np.random.default_rng(1)
    cluster = np.repeat([f"{p:02d}" for p in range(40)], 5)
    with_clusters, without = [], []
    for _ in range(1000):
        value = math.sqrt(0.6) * np.repeat(rng.normal(size=40), 5) + math.sqrt(0.4) * rng.normal(size=200)
        for hits, units in ((with_clusters, items(value, cluster)), (without, items(value))):
            found = interval(Estimator.MEAN, units)
            hits.append(found.low < 0 < found.high)
    assert 0.93 < np.mean(with_clusters) < 0.97
    assert np.mean(without) < 0.80


def test_interval_of_unequal_clusters_is_centered_on_the_mean_of_items() -> None:
    units = items([1, 2, 3, 4, 9, 5, 0, 3], list("aabbbcde"))
    found = interval(Estimator.MEAN, units)
    assert (found.low + found.high) / 2 == pytest.approx(units.value.mean())


@pytest.mark.parametrize("estimator", [Estimator.PLUG_IN, Estimator.KNN_COUNT, Estimator.SPECTRUM])
def test_resampling_is_refused_where_duplicates_count(estimator: Estimator) -> None:  # T14
    with pytest.raises(CannotInfer, match="resampling duplicates items"):
        interval(estimator, other(UnitKind.REPLICATES, np.arange(500.0)))


def test_pseudo_values_are_centered_on_the_value_or_on_their_mean() -> None:
    units = other(UnitKind.PSEUDO, np.arange(10.0))
    at_value, corrected = interval(Estimator.PLUG_IN, units, value=7.0), interval(Estimator.PLUG_IN, units)
    assert (at_value.low + at_value.high) / 2 == pytest.approx(7.0)
    assert (corrected.low + corrected.high) / 2 == pytest.approx(4.5)
    half = 2.262157 * np.std(np.arange(10.0), ddof=1) / math.sqrt(10)  # t with 9 degrees
    assert corrected.high - 4.5 == pytest.approx(half, rel=1e-6)
    assert at_value.method == "jackknife(G=10)"


def test_replicates_give_percentiles() -> None:
    found = interval(Estimator.SHARES, other(UnitKind.REPLICATES, np.arange(1001.0)))
    assert (found.low, found.high) == pytest.approx((25.0, 975.0))
    assert found.method == "percentile(R=1001)"


def test_proportions_take_wilson_at_the_effective_n() -> None:
    alone = interval(Estimator.PROPORTION, items([1.0] * 98 + [0.0] * 2))
    assert (alone.low, alone.high) == pytest.approx((0.929988, 0.994498), abs=1e-6)
    assert alone.method == "wilson(n=100)"
    agreeing = interval(Estimator.PROPORTION, items(np.zeros(100), np.repeat(np.arange(20), 5)))
    assert agreeing.method == "wilson(n_eff=20.0)"
    assert agreeing.low == 0.0


def test_ratio_of_sums_has_its_hand_computed_error() -> None:  # T60
    errors, words = np.array([1.0, 0, 2, 1, 0, 3]), np.array([5.0, 4, 10, 6, 5, 10])
    units = items(ratio_items(errors, words))
    assert units.value.mean() == pytest.approx(7 / 40)
    residual = errors - 7 / 40 * words
    assert standard_error(units) == pytest.approx(math.sqrt(6 / 5 * (residual**2).sum()) / 40)
    assert interval(Estimator.RATIO, units).method == "delta(clusters=6,few-units)"
    with pytest.raises(CannotInfer, match="sum to 0"):
        ratio_items(errors, np.zeros(6))


@pytest.mark.parametrize(
    ("estimator", "units", "sentence"),
    [
        (Estimator.MEAN, items([1, 2, 3, 4]), "at least 5 clusters are needed for an interval; found 4"),
        (Estimator.MEAN, items(range(20), list("aabbbbbbbbbbbbbbbbbb")), "found 2"),
        (Estimator.PLUG_IN, other(UnitKind.PSEUDO, [1, 2, 3]), "at least 5 jackknife groups"),
        (Estimator.SHARES, other(UnitKind.REPLICATES, range(99)), "100 replicates are needed"),
        (Estimator.MEAN, items([1, 2, math.nan, 4, 5]), "not a finite number"),
        (Estimator.EXACT, items(range(9)), "no sampling error"),
    ],
)
def test_units_that_allow_no_interval_say_why(estimator: Estimator, units: Units, sentence: str) -> None:
    with pytest.raises(CannotInfer, match=sentence):
        interval(estimator, units)


@pytest.mark.parametrize("kind", list(UnitKind))
def test_agreeing_units_have_a_reason_and_no_number(kind: UnitKind) -> None:
    with pytest.raises(NoSpread, match="no spread to infer from") as caught:
        interval(Estimator.SHARES, other(kind, [0.7] * 200))
    assert caught.value.value == pytest.approx(0.7)


def test_adding_a_large_constant_leaves_the_error() -> None:  # T58
    value = np.random.default_rng(2).normal(size=400)
    cluster = np.repeat(np.arange(80), 5)
    assert standard_error(items(value + 1e8, cluster)) == pytest.approx(standard_error(items(value, cluster)), rel=1e-6)


def test_errors_divide_by_n_minus_one() -> None:  # T18
    assert standard_error(items([0.0, 1.0])) == pytest.approx(0.5)  # sd .7071 over √2; with n it would be .3536
    assert standard_error(other(UnitKind.PSEUDO, [0.0, 1.0])) == pytest.approx(0.5)


def test_same_units_give_the_same_bytes_and_leave_the_global_generator() -> None:  # T59
    before = np.random.get_state()[1].tobytes()  # noqa: NPY002
    units = items(np.random.default_rng(3).normal(size=60))
    assert interval(Estimator.MEAN, units) == interval(Estimator.MEAN, units)
    assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float64, st.integers(12, 40), elements=FINITE), st.randoms(use_true_random=False))
def test_order_scale_sign_and_copies_do_what_they_must(value: np.ndarray, random) -> None:  # T75
    cluster = np.arange(len(value)) % 6
    try:
        base = interval(Estimator.MEAN, items(value, cluster))
    except NoSpread:
        return
    order = random.sample(range(len(value)), len(value))
    shuffled = interval(Estimator.MEAN, items(value[order], cluster[order]))
    assert (shuffled.low, shuffled.high) == pytest.approx((base.low, base.high), rel=1e-9, abs=1e-9)
    scaled = interval(Estimator.MEAN, items(3 * value, cluster))
    assert (scaled.low, scaled.high) == pytest.approx((3 * base.low, 3 * base.high), rel=1e-9, abs=1e-9)
    flipped = interval(Estimator.MEAN, items(-value, cluster))
    assert (flipped.low, flipped.high) == pytest.approx((-base.high, -base.low), rel=1e-9, abs=1e-9)
    twice = items(np.tile(value, 2), np.concatenate([cluster, cluster + 6]))
    ratio = standard_error(items(value, cluster)) / standard_error(twice)
    assert ratio == pytest.approx(math.sqrt(11 / 5), rel=1e-6)  # √2 with n - 1: (2·6 - 1) / (6 - 1)
