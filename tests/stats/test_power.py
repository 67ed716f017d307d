"""Power and the minimum detectable effect of paired designs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.stats.power import detectable, power, units_needed


@pytest.mark.parametrize(
    ("n", "effect"), [(5, 1.682), (10, 0.996), (30, 0.529), (50, 0.404), (200, 0.199), (1000, 0.0887)]
)
def test_detectable_effect_to_three_digits(n: int, effect: float) -> None:  # T71
    assert detectable(n) == pytest.approx(effect, abs=5e-4 if effect > 0.1 else 5e-5)


@pytest.mark.parametrize("n", [5, 30])
def test_simulated_power_at_the_detectable_effect(n: int) -> None:  # T71
    difference = np.random.default_rng(21).normal(detectable(n), 1.0, size=(8000, n))
    assert 0.77 < (stats.ttest_1samp(difference, 0, axis=1).pvalue < 0.05).mean() < 0.83


def test_power_of_no_effect_is_alpha_and_grows() -> None:
    assert power(0.0, 20) == pytest.approx(0.05, abs=1e-9)
    values = [power(e, 20) for e in (0.0, 0.2, 0.5, 1.0, 3.0)]
    assert values == sorted(values)
    assert power(0.5, 20) == power(-0.5, 20)


def test_power_of_the_pairing_fixture() -> None:  # T55: shift .06, sd of the difference .3·√2
    assert power(0.06 / (0.3 * np.sqrt(2)), 200) == pytest.approx(0.512, abs=5e-3)


def test_units_needed_invert_power() -> None:
    n = units_needed(0.5)
    assert power(0.5, n) >= 0.8 > power(0.5, n - 1)
    with pytest.raises(ValueError, match="effect of 0"):
        units_needed(0.0)
