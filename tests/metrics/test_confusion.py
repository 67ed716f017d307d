from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.keys import generator
from harness.metrics.confusion import SMALLEST, confusion_of, corrected, redrawn
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus

GOLDENS = {
    r["quantity"]: (float(r["value"]), float(r["tolerance"]))
    for r in csv.DictReader((Path(__file__).parents[1] / "goldens" / "item_metrics.csv").open())
}
MATRIX = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.05, 0.15, 0.8]])
NOBODY = Items(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), ())


def brought(matrix: np.ndarray, counts: np.ndarray) -> Evidence:
    return Evidence(NOBODY, confusion={"avatars": {"hat": matrix, "hat.n": counts}})


def test_two_classes_give_rogan_and_gladen() -> None:
    value, tolerance = GOLDENS["rogan_gladen[.9 .8 .6]"]
    matrix = np.array([[0.9, 0.1], [0.2, 0.8]])  # sensitivity .9, specificity .8
    assert corrected([0.6, 0.4], matrix)[0] == pytest.approx(value, abs=tolerance)
    assert corrected([0.6, 0.4], matrix)[0] == pytest.approx((0.6 + 0.8 - 1) / (0.9 + 0.8 - 1), abs=1e-12)


def test_three_classes_are_solved_for() -> None:
    assert corrected([0.49, 0.295, 0.215], MATRIX) == pytest.approx([0.5, 0.3, 0.2], abs=1e-12)


def test_per_group_accuracy_is_undone() -> None:
    assert corrected([0.69, 0.31], np.array([[0.9, 0.1], [0.2, 0.8]])) == pytest.approx([0.7, 0.3], abs=1e-12)


@given(st.tuples(*[st.floats(0.01, 1)] * 3))
def test_what_the_classifier_shows_leads_back_to_the_truth(weights: tuple[float, ...]) -> None:
    truth = np.array(weights) / sum(weights)
    assert corrected(truth @ MATRIX, MATRIX) == pytest.approx(truth, abs=1e-12)


@given(st.permutations(range(3)), st.tuples(*[st.floats(0.01, 1)] * 3))
def test_the_order_of_the_classes_changes_nothing(order: list[int], weights: tuple[float, ...]) -> None:
    observed = np.array(weights) / sum(weights)
    turned = corrected(observed[order], MATRIX[np.ix_(order, order)])
    assert turned == pytest.approx(corrected(observed, MATRIX)[order], abs=1e-12)


def test_impossible_shares_are_clipped_to_the_simplex() -> None:
    shares = corrected([1.0, 0.0, 0.0], MATRIX)
    assert shares == pytest.approx([1, 0, 0])
    assert shares.min() >= 0


def test_a_classifier_that_confuses_too_much_is_undefined() -> None:
    with pytest.raises(CannotMeasure, match="smallest singular value") as caught:
        confusion_of(brought(np.array([[0.55, 0.45], [0.45, 0.55]]), np.array([50, 50])), "avatars", "hat", 2)
    assert caught.value.status is ScoreStatus.UNDEFINED
    edge = np.array([[0.5 + SMALLEST / 2 + 1e-9, 0.5 - SMALLEST / 2 - 1e-9]])
    usable = np.concatenate([edge, edge[:, ::-1]])
    assert confusion_of(brought(usable, np.array([50, 50])), "avatars", "hat", 2)[1].tolist() == [50, 50]


@pytest.mark.parametrize(
    ("matrix", "counts", "classes"),
    [
        (MATRIX, np.array([9, 9, 9]), 4),
        (MATRIX * 2, np.array([9, 9, 9]), 3),
        (MATRIX, np.array([9, 0, 9]), 3),
        (MATRIX * np.nan, np.array([9, 9, 9]), 3),
    ],
)
def test_a_matrix_that_is_none_is_refused(matrix: np.ndarray, counts: np.ndarray, classes: int) -> None:
    with pytest.raises(CannotMeasure) as caught:
        confusion_of(brought(matrix, counts), "avatars", "hat", classes)
    assert caught.value.status is ScoreStatus.PROTOCOL_MISMATCH


def test_redrawn_rows_scatter_as_binomials_around_the_matrix() -> None:
    counts = np.array([100, 400, 25])
    drawn = redrawn(MATRIX, counts, generator(0, "stats", "redraws"), 4000)
    assert drawn.shape == (4000, 3, 3)
    assert drawn.sum(axis=2) == pytest.approx(np.ones((4000, 3)))
    error = np.sqrt(MATRIX * (1 - MATRIX) / counts[:, None])
    assert np.abs(drawn.mean(axis=0) - MATRIX).max() < 4 * error.max() / np.sqrt(4000)
    assert drawn.std(axis=0) == pytest.approx(error, rel=0.06)
