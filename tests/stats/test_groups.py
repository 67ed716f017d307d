"""Jackknife groups: whole clusters, equal, and the same for every method."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.groups import group_count, jackknife_groups
from harness.stats.units import CannotInfer


def clusters(count: int, items: int = 4) -> np.ndarray:
    return np.repeat([f"{c:04d}" for c in range(count)], items)


@pytest.mark.parametrize(
    ("count", "groups"), [(5, 5), (9, 9), (10, 10), (16, 16), (20, 20), (24, 12), (40, 20), (1000, 20)]
)
def test_number_of_groups(count: int, groups: int) -> None:
    assert group_count(count) == groups


def test_fewer_than_five_clusters_are_refused_not_cut_into_items() -> None:
    with pytest.raises(CannotInfer, match="at least 5 clusters are needed for a jackknife; found 4"):
        jackknife_groups(clusters(4, 100))


@settings(max_examples=60, deadline=None)
@given(st.integers(5, 300), st.integers(1, 4))
def test_groups_hold_whole_clusters_and_are_balanced(count: int, items: int) -> None:
    cluster = clusters(count, items)
    groups = jackknife_groups(cluster)
    owner = {c: g for c, g in zip(cluster, groups.index, strict=True)}  # noqa: C416
    assert all(owner[c] == g for c, g in zip(cluster, groups.index, strict=True))
    per_group = np.bincount(list(owner.values()), minlength=len(groups))
    assert per_group.max() - per_group.min() <= 1
    assert groups.size.sum() == len(cluster)
    assert min(count, 10) <= len(groups) <= 20


def test_groups_depend_on_names_only_not_on_the_order_of_items() -> None:
    cluster = clusters(33, 3)
    order = np.random.default_rng(0).permutation(len(cluster))
    first, second = jackknife_groups(cluster), jackknife_groups(cluster[order])
    assert np.array_equal(first.index[order], second.index)
    assert np.array_equal(first.name, second.name)


def test_neighboring_prompts_are_not_dealt_in_order() -> None:
    index = jackknife_groups(clusters(40, 1)).index
    assert not np.array_equal(index, np.arange(40) % 20)
    assert not np.array_equal(index, np.arange(40) // 2)


@pytest.mark.parametrize("changed", [clusters(41), clusters(40, 5), np.char.add("x", clusters(40))])
def test_other_prompts_or_another_n_give_other_names(changed: np.ndarray) -> None:  # T5, T21
    assert not np.array_equal(jackknife_groups(clusters(40)).name, jackknife_groups(changed).name)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=5, max_size=40), st.integers(0, 2**31))
def test_pseudo_values_of_a_mean_are_group_means_and_a_bias_in_1_over_n_cancels(sizes: list[int], seed: int) -> None:
    cluster = np.repeat([f"{c:02d}" for c in range(len(sizes))], sizes)
    value = np.random.default_rng(seed).normal(size=len(cluster))
    groups = jackknife_groups(cluster)

    def estimate(keep: np.ndarray) -> float:
        return value[keep].mean() + 5.0 / keep.sum()

    left_out = np.array([estimate(groups.index != g) for g in range(len(groups))])
    units = groups.units(estimate(np.ones(len(value), dtype=bool)), left_out)
    means = [value[groups.index == g].mean() for g in range(len(groups))]
    assert units.value == pytest.approx(means, abs=1e-9)
