"""Shares that are 0 or 1 for everybody: an interval of the right length, and no invented difference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from harness.metrics.faces.resampling import REPLICATES, replicate_units
from harness.stats.intervals import interval
from harness.stats.paired import paired_difference as paired
from harness.stats.units import Estimator, NoSpread


@pytest.mark.parametrize("people", [12, 50, 300])
def test_nobody_of_n_is_not_nobody_at_all(people: int) -> None:
    units = replicate_units(np.zeros(REPLICATES), 0.0, people)
    assert units is not None
    found = interval(Estimator.RATIO, units)
    assert found.low < 0.001
    assert found.high == pytest.approx(beta.ppf(0.975, 0.5, people + 0.5), rel=0.15)
    other = replicate_units(np.ones(REPLICATES), 1.0, people)
    assert other is not None
    assert np.allclose(other.value, 1 - units.value)


def test_two_cells_that_agree_on_everybody_do_not_differ_and_opposite_ones_do() -> None:
    nobody, again = (replicate_units(np.zeros(REPLICATES), 0.0, 50) for _ in range(2))
    everybody = replicate_units(np.ones(REPLICATES), 1.0, 50)
    assert nobody is not None
    assert again is not None
    assert everybody is not None
    with pytest.raises(NoSpread):
        paired(Estimator.RATIO, nobody, again, value=0.0)
    found = paired(Estimator.RATIO, everybody, nobody, value=1.0)
    assert found.delta == 1.0
    assert 0.85 < found.interval.low < 0.95
    assert found.p_value < 0.01


def test_spread_that_is_larger_stays_and_a_share_inside_is_left_alone() -> None:
    some = np.linspace(0, 0.2, REPLICATES)
    at_the_end, inside = replicate_units(some, 0.0, 50), replicate_units(some, 0.1, 50)
    nobody, plain = replicate_units(np.zeros(REPLICATES), 0.0, 50), replicate_units(some, 0.0)
    assert at_the_end is not None
    assert inside is not None
    assert nobody is not None
    assert plain is not None
    assert np.array_equal(inside.value, some)
    assert np.array_equal(plain.value, some)
    assert np.array_equal(at_the_end.value, np.maximum(some, nobody.value))
    found = paired(Estimator.RATIO, at_the_end, nobody, value=0.0)
    assert found.interval.low >= 0.0  # a cloak that stops nobody is not worse than none
