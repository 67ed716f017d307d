"""Bounds on over-fitting: the published values of generation.md section 1, and that they hold in simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.overfitting import Learns, bound, nats


def test_known_values() -> None:
    fixed = nats(Learns.NOTHING, 100)
    assert fixed is not None
    assert bound(fixed, 200) == pytest.approx(0.1440, abs=5e-5)
    assert bound(50 * math.log(2), 1000) == pytest.approx(0.1385, abs=5e-5)
    assert bound(300 * math.log(2), 1000) == pytest.approx(0.3253, abs=5e-5)
    assert nats(Learns.RANKS, 4) == pytest.approx(3.178, abs=5e-4)
    assert math.log(4) == pytest.approx(1.386, abs=5e-4)  # only the index of the best of four


def test_one_evaluation_teaches_nothing() -> None:
    for learns in Learns:
        assert nats(learns, 1) == 0.0
    assert nats(Learns.VALUES, 2) is None


def test_restarts_are_paid_for() -> None:
    assert nats(Learns.NOTHING, 50, 4) == pytest.approx(math.log(200))
    assert nats(Learns.COMPARISONS, 11, 2) == pytest.approx(10 * math.log(2) + math.log(2))


@given(e=st.integers(1, 400), n=st.integers(1, 5000))
def test_more_information_or_fewer_items_promise_less(e: int, n: int) -> None:
    order = [nats(k, e) for k in (Learns.NOTHING, Learns.COMPARISONS, Learns.RANKS)]
    known = [v for v in order if v is not None]
    assert all(a <= b + 1e-12 for a, b in itertools.pairwise(known))
    assert 0 < bound(known[0], n) <= bound(known[-1], n) <= 1
    assert bound(known[-1], n + 1) <= bound(known[-1], n)


def test_the_best_of_100_noisy_scores_flatters_as_told_and_within_the_bound() -> None:
    """Pure noise, K = 100, n = 100, deviation 1: mean optimism .2508 (E max of 100 normals is 2.5076)."""
    rng = np.random.default_rng(0)
    best = rng.standard_normal((4000, 100, 100)).mean(2).max(1)
    assert best.mean() == pytest.approx(0.2508, abs=0.003)
    coins = (rng.random((4000, 100, 100)) < 0.5).mean(2)  # losses in {0, 1} of expectation .5
    fixed = nats(Learns.NOTHING, 100)
    assert fixed is not None
    assert ((0.5 - coins.min(1)) > bound(fixed, 100)).mean() <= 0.05


def test_bad_arguments_are_refused() -> None:
    for arguments in ((0.0, 0, 0.05), (0.0, 10, 0.0), (-1.0, 10, 0.05)):
        with pytest.raises(ValueError, match="bound needs"):
            bound(*arguments)
    with pytest.raises(ValueError, match="at least one run"):
        nats(Learns.NOTHING, 0)
