"""Paired differences: what is shared cancels, what is missing is counted, what is inert says so."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.stats.paired import better_share, by_cluster, paired_difference, replicate_p
from harness.stats.units import CannotInfer, Estimator, NoSpread, UnitKind, Units


def units(value, kind: UnitKind = UnitKind.ITEMS, cluster=None, start: int = 0) -> Units:
    value = np.asarray(value, dtype=np.float64)
    key = np.array([f"{i + start:05d}" for i in range(len(value))])
    return Units(kind, key, key if cluster is None else np.asarray(cluster, dtype=str), value)


def test_pairing_finds_what_an_unpaired_test_cannot() -> None:  # T55; non-central t gives .512
    rng = np.random.default_rng(7)
    paired, unpaired = [], []
    for _ in range(1000):
        shared = rng.normal(size=200)
        a, b = shared + 0.3 * rng.normal(size=200) + 0.06, shared + 0.3 * rng.normal(size=200)
        paired.append(paired_difference(Estimator.MEAN, units(a), units(b)).p_value < 0.05)
        unpaired.append(stats.ttest_ind(a, b).pvalue < 0.05)
    assert np.mean(paired) >= 0.45
    assert np.mean(unpaired) <= 0.02


def test_difference_of_items_is_the_textbook_paired_t() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.normal(size=30), rng.normal(size=30)
    found, textbook = paired_difference(Estimator.MEAN, units(a), units(b)), stats.ttest_rel(a, b)
    assert found.p_value == pytest.approx(textbook.pvalue, rel=1e-9)
    bounds = textbook.confidence_interval()
    assert (found.interval.low, found.interval.high) == pytest.approx((bounds.low, bounds.high), rel=1e-9)
    assert found.interval.method == "paired t(clusters=30)"
    assert (found.pairs, found.missing) == (30, 0)


def test_clusters_are_the_units_of_a_difference() -> None:
    rng = np.random.default_rng(9)
    cluster = np.repeat(np.arange(20), 5)
    a, b = rng.normal(size=100), rng.normal(size=100)
    found = paired_difference(Estimator.MEAN, units(a, cluster=cluster), units(b, cluster=cluster))
    textbook = stats.ttest_1samp((a - b).reshape(20, 5).mean(axis=1), 0)
    assert found.p_value == pytest.approx(textbook.pvalue, rel=1e-9)


def test_an_inert_method_is_identical_not_insignificant() -> None:
    for kind, count in ((UnitKind.ITEMS, 20), (UnitKind.PSEUDO, 10), (UnitKind.REPLICATES, 200)):
        same = units(np.random.default_rng(10).normal(size=count), kind)
        with pytest.raises(NoSpread, match="identical on every unit") as caught:
            paired_difference(Estimator.SHARES, same, same)
        assert caught.value.value == 0.0


def test_an_inert_method_is_named_even_on_few_prompts() -> None:
    with pytest.raises(NoSpread, match="identical on every unit"):
        paired_difference(Estimator.MEAN, units([1.0, 2.0]), units([1.0, 2.0]))


def test_a_constant_difference_has_a_reason_and_its_value() -> None:
    with pytest.raises(NoSpread, match=r"every unit differs by exactly 0\.5") as caught:
        paired_difference(Estimator.MEAN, units(np.arange(8.0) + 0.5), units(np.arange(8.0)))
    assert caught.value.value == pytest.approx(0.5)


def test_missing_partners_are_counted_and_too_many_are_refused() -> None:
    rng = np.random.default_rng(11)
    a, b = rng.normal(size=100), rng.normal(size=100)
    found = paired_difference(Estimator.MEAN, units(a), units(b[:96]))
    assert (found.pairs, found.missing) == (96, 4)
    assert found.delta == pytest.approx((a[:96] - b[:96]).mean())
    with pytest.raises(CannotInfer, match="6 of 100 pairs lack a partner; at most 5% may"):
        paired_difference(Estimator.MEAN, units(a), units(b[:94]))
    with pytest.raises(CannotInfer, match="lack a partner"):
        paired_difference(Estimator.MEAN, units(a), units(b, start=1000))


def test_pairs_are_found_by_key_in_any_order() -> None:
    rng = np.random.default_rng(12)
    a, b = units(rng.normal(size=40)), units(rng.normal(size=40))
    order = rng.permutation(40)
    shuffled = Units(b.kind, b.key[order], b.cluster[order], b.value[order])
    assert paired_difference(Estimator.MEAN, a, shuffled) == paired_difference(Estimator.MEAN, a, b)


def test_swapping_the_cells_flips_the_difference() -> None:
    rng = np.random.default_rng(13)
    for kind, count in ((UnitKind.ITEMS, 30), (UnitKind.PSEUDO, 10)):
        a, b = units(rng.normal(size=count), kind), units(rng.normal(size=count), kind)
        one, two = (paired_difference(Estimator.U_STATISTIC, *pair) for pair in ((a, b), (b, a)))
        assert (one.delta, one.interval.low, one.p_value) == pytest.approx(
            (-two.delta, -two.interval.high, two.p_value)
        )


def test_cells_cut_into_different_groups_are_refused() -> None:  # T5, T21, T28
    rng = np.random.default_rng(14)
    a, b = units(rng.normal(size=10), UnitKind.PSEUDO), units(rng.normal(size=10), UnitKind.PSEUDO, start=1)
    with pytest.raises(CannotInfer, match="do not share their jackknife groups"):
        paired_difference(Estimator.PLUG_IN, a, b)


@pytest.mark.parametrize("other", [UnitKind.PSEUDO, UnitKind.REPLICATES])
def test_units_of_different_kinds_are_refused(other: UnitKind) -> None:
    with pytest.raises(CannotInfer, match="different kinds"):
        paired_difference(Estimator.MEAN, units(np.arange(10.0)), units(np.arange(10.0), other))


def test_items_that_changed_their_cluster_are_refused() -> None:
    value = np.arange(12.0)
    with pytest.raises(CannotInfer, match="different clusters"):
        paired_difference(
            Estimator.MEAN, units(value, cluster=list("aabbccddeeff")), units(value, cluster=list("abbbccddeeff"))
        )


def test_bootstrap_replicates_of_a_distance_are_refused_in_pairs_too() -> None:  # T14
    a, b = units(np.arange(200.0), UnitKind.REPLICATES), units(np.ones(200), UnitKind.REPLICATES)
    with pytest.raises(CannotInfer, match="resampling duplicates items"):
        paired_difference(Estimator.PLUG_IN, a, b)


def test_difference_of_pseudo_values_is_centered_on_the_difference_of_scores() -> None:
    rng = np.random.default_rng(15)
    a, b = units(rng.normal(size=10), UnitKind.PSEUDO), units(rng.normal(size=10), UnitKind.PSEUDO)
    found = paired_difference(Estimator.PLUG_IN, a, b, value=3.0)
    assert found.delta == 3.0
    assert (found.interval.low + found.interval.high) / 2 == pytest.approx(3.0)
    assert found.interval.method == "paired jackknife(G=10)"


def test_single_binary_items_are_tested_by_mcnemar_and_clustered_ones_by_t() -> None:
    first, second = np.array([1.0] * 15 + [0.0] * 5 + [1.0] * 80), np.array([0.0] * 15 + [1.0] * 5 + [1.0] * 80)
    alone = paired_difference(Estimator.PROPORTION, units(first), units(second))
    assert alone.p_value == pytest.approx(0.0413895, abs=1e-7)
    assert alone.delta == pytest.approx(0.1)
    assert alone.interval.method == "paired t(clusters=100),p=McNemar exact"
    cluster = np.arange(100) % 20
    grouped = paired_difference(Estimator.PROPORTION, units(first, cluster=cluster), units(second, cluster=cluster))
    assert "McNemar" not in grouped.interval.method


def test_replicates_give_a_percentile_interval_and_a_p_that_is_never_zero() -> None:
    rng = np.random.default_rng(16)
    shared = rng.normal(size=999)
    a, b = units(shared + 1.0 + 0.1 * rng.normal(size=999), UnitKind.REPLICATES), units(shared, UnitKind.REPLICATES)
    found = paired_difference(Estimator.SHARES, a, b, value=1.0)
    assert found.delta == 1.0
    assert 0.75 < found.interval.low < 0.85
    assert found.p_value == pytest.approx(2 / 1000)
    assert replicate_p(np.array([-1.0, 1.0] * 50)) == 1.0


def test_seeds_are_paired_from_two_on() -> None:
    found = paired_difference(Estimator.SEEDS, units([1.0, 2.0]), units([0.5, 1.0]))
    assert found.interval.method == "paired t(seeds=2)"
    assert math.isfinite(found.p_value)


def test_share_of_better_items_halves_ties_and_follows_the_direction() -> None:
    a, b = units([1.0, 2.0, 3.0, 4.0]), units([0.0, 2.0, 4.0, 3.0])
    assert better_share(a, b, higher_is_better=True) == pytest.approx(0.625)
    assert better_share(a, b, higher_is_better=False) == pytest.approx(0.375)


def test_items_without_shared_noise_are_paired_by_their_clusters() -> None:
    prompts = np.repeat(np.arange(6), 4).astype(str)
    made = by_cluster(units(np.arange(24.0), cluster=prompts))
    assert made.key.tolist() == made.cluster.tolist() == list("012345")
    assert made.value == pytest.approx(np.arange(24.0).reshape(6, 4).mean(axis=1))
    same = units(np.arange(10.0), UnitKind.PSEUDO)
    assert by_cluster(same) is same


def test_pairs_by_cluster_do_not_feel_which_sample_meets_which() -> None:
    rng = np.random.default_rng(21)
    prompts = np.repeat([f"{p:02d}" for p in range(12)], 5)
    a, b = units(rng.normal(size=60), cluster=prompts), units(rng.normal(size=60), cluster=prompts)
    shuffled = b.value.reshape(12, 5)[:, rng.permutation(5)].ravel()
    plain = paired_difference(Estimator.MEAN, by_cluster(a), by_cluster(b))
    other = paired_difference(Estimator.MEAN, by_cluster(a), by_cluster(Units(b.kind, b.key, b.cluster, shuffled)))
    assert (plain.delta, plain.p_value) == pytest.approx((other.delta, other.p_value))


def test_pairs_by_cluster_hold_their_level_when_numbers_of_samples_differ() -> None:
    rng = np.random.default_rng(22)
    wrong = 0
    for _ in range(600):
        effect = rng.normal(size=15)
        sides = []
        for each in (4, 12):  # one replicate against three
            values = np.repeat(effect, each) + rng.normal(size=15 * each)
            sides.append(by_cluster(units(values, cluster=np.repeat([f"{p:02d}" for p in range(15)], each))))
        wrong += paired_difference(Estimator.MEAN, *sides).p_value < 0.05
    assert 0.025 <= wrong / 600 <= 0.08  # ±3 standard errors around .05
