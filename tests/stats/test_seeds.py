"""Few seeds: exact sign flips and the sentence at plan time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.stats.seeds import note, sign_flip_p, smallest_mann_whitney_p, smallest_sign_flip_p


@pytest.mark.parametrize(
    ("n", "p"), [(3, 0.25), (4, 0.125), (5, 0.0625), (6, 0.03125), (8, 0.0078125), (10, 0.001953125)]
)
def test_smallest_p_of_sign_flips_is_reached_by_one_sided_differences(n: int, p: float) -> None:
    assert smallest_sign_flip_p(n) == p
    assert sign_flip_p(np.arange(1.0, n + 1)) == p


@pytest.mark.parametrize(("n", "p"), [(3, 0.10), (4, 0.0286), (5, 0.0079)])
def test_smallest_p_of_mann_whitney(n: int, p: float) -> None:
    assert smallest_mann_whitney_p(n, n) == pytest.approx(p, abs=5e-5)


def test_sign_flips_equal_the_permutation_test() -> None:
    d = np.random.default_rng(22).normal(0.5, 1, size=9)
    exact = stats.permutation_test((d,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_p(d) == pytest.approx(exact.pvalue)
    with pytest.raises(ValueError, match="found 21"):
        sign_flip_p(np.ones(21))


def test_note_speaks_only_where_a_claim_is_out_of_reach() -> None:
    assert note(3) == (
        "with 3 seeds an exact sign-flip test cannot go below p = 0.25; 6 seeds are the fewest that can reach 0.05"
    )
    assert "describe this model" in note(1)
    assert note(6) == ""
