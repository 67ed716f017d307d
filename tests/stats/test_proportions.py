"""Proportions: published values, and levels under clustering."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats.intervals import interval
from harness.stats.proportions import clopper_pearson, effective_n, items_for_half_width, mcnemar, wilson
from harness.stats.units import Estimator, UnitKind, Units


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(98, 100, 0.929988, 0.994498), (23, 134, 0.117183, 0.244402), (7, 10, 0.396778, 0.892209)],
)
def test_wilson_gives_the_published_intervals(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes / n, n) == pytest.approx((low, high), abs=1e-6)  # printed to 6 digits


def test_wilson_at_the_ends() -> None:
    assert wilson(1.0, 100) == (pytest.approx(0.963007, abs=1e-6), 1.0)
    assert wilson(0.0, 100) == (0.0, pytest.approx(0.036993, abs=1e-6))


def test_clopper_pearson_gives_the_published_interval() -> None:
    assert clopper_pearson(98, 100) == pytest.approx((0.929616, 0.997569), abs=1e-6)
    assert clopper_pearson(0, 10)[0] == 0.0
    assert clopper_pearson(10, 10)[1] == 1.0


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.data())
def test_clopper_pearson_holds_wilsons_point_and_mirrors(n: int, data) -> None:
    k = data.draw(st.integers(0, n))
    low, high = clopper_pearson(k, n)
    assert low <= k / n <= high
    assert (1 - high, 1 - low) == pytest.approx(clopper_pearson(n - k, n), abs=1e-9)


def test_mcnemar_gives_the_published_p() -> None:  # T55
    assert mcnemar(15, 5).p_value == pytest.approx(0.0413895, abs=1e-7)
    assert mcnemar(5, 15).p_value == mcnemar(15, 5).p_value
    assert mcnemar(0, 0).p_value == 1.0
    assert mcnemar(3, 3).p_value == 1.0


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_effective_n_keeps_the_level_where_plain_wilson_loses_it(share: float) -> None:
    """Beta-binomial, 40 clusters of 5, intra-cluster correlation .4; measured .963, .939, .947 (plain .744 … .788)."""
    rng = np.random.default_rng(11)
    cluster = np.repeat([f"{c:02d}" for c in range(40)], 5)
    key = np.array([f"{i:03d}" for i in range(200)])
    clustered, plain = [], []
    for _ in range(800):
        chance = rng.beta(share * 1.5, (1 - share) * 1.5, size=40)  # a + b = (1 - .4) / .4
        value = (rng.random(200) < np.repeat(chance, 5)).astype(float)
        found = interval(Estimator.PROPORTION, Units(UnitKind.ITEMS, key, cluster, value))
        clustered.append(found.low <= share <= found.high)
        low, high = wilson(value.mean(), 200)
        plain.append(low <= share <= high)
    assert np.mean(clustered) > 0.92  # .939 less 2 standard errors of 800 runs
    assert np.mean(plain) < 0.85


def test_effective_n_is_the_number_of_clusters_that_fully_agree() -> None:
    value, cluster = np.repeat([0.0, 1.0] * 5, 4), np.repeat([f"{c}" for c in range(10)], 4)
    assert effective_n(value, cluster) == pytest.approx(9.0)  # perfectly correlated: C - 1, by the C - 1 of a variance
    assert effective_n(np.zeros(40), cluster) == 10
    assert effective_n(value, np.array([f"{i}" for i in range(40)])) == 40


def test_items_for_a_half_width_are_the_fewest() -> None:
    n = items_for_half_width(0.5, 0.044)
    assert 480 < n < 500  # about 500 identities near p = .5
    low, high = wilson(0.5, n)
    assert (high - low) / 2 <= 0.044
    low, high = wilson(0.5, n - 1)
    assert (high - low) / 2 > 0.044
