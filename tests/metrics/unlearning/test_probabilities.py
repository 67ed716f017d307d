from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.metrics.unlearning.probabilities import (
    entropy,
    log_probabilities,
    loss,
    modified_entropy,
    scaled_confidence,
)

LOGITS = arrays(np.float64, (5, 4), elements=st.floats(-30, 30))
LABEL = np.array([0, 1, 2, 3, 0])


@given(LOGITS, st.floats(-100, 100))
def test_a_shift_of_all_logits_changes_nothing(logits: np.ndarray, shift: float) -> None:
    for number in (loss(logits, LABEL), modified_entropy(logits, LABEL), scaled_confidence(logits, LABEL)):
        assert np.isfinite(number).all()
    assert loss(logits + shift, LABEL) == pytest.approx(loss(logits, LABEL), abs=1e-9)
    assert entropy(logits + shift) == pytest.approx(entropy(logits), abs=1e-9)


@given(LOGITS)
def test_probabilities_sum_to_one_and_entropy_lies_between_its_bounds(logits: np.ndarray) -> None:
    assert np.exp(log_probabilities(logits)).sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    assert (entropy(logits) >= -1e-12).all()
    assert (entropy(logits) <= np.log(4) + 1e-12).all()


@given(LOGITS)
def test_the_scaled_confidence_is_the_log_odds(logits: np.ndarray) -> None:
    p = np.exp(-loss(logits, LABEL))
    kept = (p > 1e-9) & (p < 1 - 1e-6)
    assert scaled_confidence(logits, LABEL)[kept] == pytest.approx(np.log(p / (1 - p))[kept], abs=1e-6)


@given(LOGITS)
def test_modified_entropy_is_its_formula_row_by_row(logits: np.ndarray) -> None:
    # SalUn's has log p for log(1 - p) and lets the labels of all rows into every row.
    for row, y, found in zip(logits, LABEL, modified_entropy(logits, LABEL), strict=True):
        p = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        rest = np.array([p[np.arange(4) != j].sum() for j in range(4)])  # 1 - p_j without cancellation
        direct = -rest[y] * np.log(p[y]) - sum(p[j] * np.log(rest[j]) for j in range(4) if j != y)
        assert found == pytest.approx(direct, rel=1e-6, abs=1e-9)


def test_hand_examples() -> None:
    even = np.zeros((1, 4))
    assert entropy(even)[0] == pytest.approx(np.log(4))
    assert loss(even, np.array([2]))[0] == pytest.approx(np.log(4))
    assert scaled_confidence(even, np.array([2]))[0] == pytest.approx(np.log(1 / 3))
    assert modified_entropy(even, np.array([2]))[0] == pytest.approx(0.75 * np.log(4) + 0.75 * np.log(4 / 3))


def test_a_sure_model_has_finite_numbers() -> None:
    sure = np.array([[4000.0, 0.0, 0.0]], dtype=np.float32)
    assert entropy(sure)[0] == 0.0
    assert loss(sure, np.array([1]))[0] == 4000.0
    assert scaled_confidence(sure, np.array([0]))[0] == pytest.approx(-np.log(1e-45))
    assert np.isfinite(modified_entropy(sure, np.array([1])))[0]
