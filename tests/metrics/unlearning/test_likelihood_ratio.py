from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score, roc_curve

from harness.keys import generator
from harness.metrics.unlearning.likelihood_ratio import RankedScores, placements

SCORES = arrays(np.float64, st.integers(1, 30), elements=st.integers(0, 12).map(float))


@given(SCORES, SCORES)
def test_the_auc_is_that_of_scikit_learn_ties_and_all(member: np.ndarray, other: np.ndarray) -> None:
    expected = roc_auc_score(np.repeat([1, 0], [len(member), len(other)]), np.concatenate([member, other]))
    assert placements(member, other).mean() == pytest.approx(expected, abs=1e-12)
    ones = np.ones(len(member)), np.ones(len(other))
    assert RankedScores(member, other).auc(*ones) == pytest.approx(expected, abs=1e-12)


@given(SCORES, SCORES, st.sampled_from([0.01, 0.1, 0.25, 0.5, 0.9]))
def test_the_rate_found_is_the_highest_of_the_curve_within_the_false_alarms(
    member: np.ndarray, other: np.ndarray, fpr: float
) -> None:
    labels = np.repeat([1, 0], [len(member), len(other)])
    false, true, _ = roc_curve(labels, np.concatenate([member, other]), drop_intermediate=False)
    ones = np.ones(len(member)), np.ones(len(other))
    expected = true[false <= fpr * (1 + 1e-12)].max()
    assert RankedScores(member, other).tpr(fpr, *ones) == pytest.approx(expected, abs=1e-12)


@given(SCORES, SCORES)
def test_weights_are_copies(member: np.ndarray, other: np.ndarray) -> None:
    random = generator(0, "world", "weights")
    weights = [random.integers(0, 3, size=len(x)) + (np.arange(len(x)) == 0) for x in (member, other)]
    copied = [np.repeat(x, w) for x, w in zip((member, other), weights, strict=True)]
    weighted, plain = RankedScores(member, other), RankedScores(*copied)
    ones = [np.ones(len(x)) for x in copied]
    assert weighted.auc(*(w.astype(float) for w in weights)) == pytest.approx(plain.auc(*ones), abs=1e-12)
    assert weighted.tpr(0.2, *(w.astype(float) for w in weights)) == pytest.approx(plain.tpr(0.2, *ones), abs=1e-12)
