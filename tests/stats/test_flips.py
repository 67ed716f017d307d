"""Flips counted by hand, and their p against McNemar and against full enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats import seeds
from harness.stats.flips import flips, net_sign_p
from harness.stats.proportions import mcnemar


def test_flips_are_counted_by_hand():
    before = np.array([1, 1, 1, 0, 0, 0, 1, 0], dtype=bool)
    after = np.array([1, 0, 0, 1, 0, 0, 1, 0], dtype=bool)
    found = flips(before, after, np.array(list("abcdefgh")))
    assert (found.both, found.lost, found.gained, found.neither) == (2, 2, 1, 3)
    assert found.pairs == 8
    assert found.p_value == 1.0  # 2 against 1 of 3 fair coins: every outcome is as far


def test_six_losses_without_a_gain_have_the_p_of_six_equal_coins():
    found = flips(np.ones(6, dtype=bool), np.zeros(6, dtype=bool), np.array(list("abcdef")))
    assert found.p_value == pytest.approx(2 / 64, abs=1e-15)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_items_that_are_their_own_clusters_give_mcnemars_exact_test(pairs):
    before, after = np.array(pairs, dtype=bool).T
    found = flips(before, after, np.arange(len(pairs)).astype(str))
    assert found.p_value == pytest.approx(mcnemar(found.gained, found.lost).p_value, abs=1e-12)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=12))
def test_clusters_give_the_enumeration_of_all_signs(net):
    assert net_sign_p(np.array(net)) == pytest.approx(seeds.sign_flip_p(np.array(net, dtype=float)), abs=1e-12)


def test_flips_of_one_cluster_are_one_observation():
    before, after = np.zeros(40, dtype=bool), np.ones(40, dtype=bool)
    assert flips(before, after, np.full(40, "one")).p_value == 1.0
    assert flips(before, after, np.arange(40).astype(str)).p_value < 1e-10


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 5)), min_size=1, max_size=40))
def test_swapping_the_systems_swaps_losses_and_gains_only(rows):
    before, after, cluster = (np.array(c) for c in zip(*rows, strict=True))
    ours, theirs = flips(before, after, cluster.astype(str)), flips(after, before, cluster.astype(str))
    assert (ours.lost, ours.gained, ours.both, ours.neither) == (
        theirs.gained,
        theirs.lost,
        theirs.both,
        theirs.neither,
    )
    assert ours.p_value == pytest.approx(theirs.p_value, abs=1e-12)


def test_verdicts_that_do_not_pair_are_refused():
    with pytest.raises(ValueError, match="not paired: 2, 3"):
        flips(np.ones(2, dtype=bool), np.ones(3, dtype=bool), np.array(["a", "b", "c"]))
