"""Holm and Benjamini-Hochberg: published values and the family-wise error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.multiplicity import benjamini_hochberg, holm

P = (0.01, 0.04, 0.03, 0.005)


def test_adjusted_p_of_the_published_example() -> None:  # T56
    assert holm(P) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(P) == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_forty_metrics_raise_no_more_false_alarms_than_promised() -> None:  # T56
    p = np.random.default_rng(20).random((2000, 40))
    alarms = np.mean([holm(row).min() < 0.05 for row in p])
    assert alarms <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 2000)
    assert np.mean(p.min(axis=1) < 0.05) > 0.85  # uncorrected: 87 %


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjustment_keeps_order_and_never_lowers(p: list[float]) -> None:
    stepped, up = holm(p), benjamini_hochberg(p)
    order = np.argsort(p, kind="stable")
    for adjusted in (stepped, up):
        assert (np.diff(adjusted[order]) >= 0).all()
        assert (adjusted >= np.array(p) - 1e-15).all()
        assert adjusted.max() <= 1.0
    assert (stepped >= up - 1e-12).all()


def test_another_metric_in_the_family_raises_the_others() -> None:
    assert (holm([*P, 0.5])[:4] >= holm(P)).all()
    assert len(holm([])) == 0


@pytest.mark.parametrize("bad", [[0.1, np.nan], [-0.1], [1.2]])
def test_what_is_not_a_p_value_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match=r"numbers in \[0, 1\]"):
        holm(bad)
