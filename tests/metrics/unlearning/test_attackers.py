from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from harness.keys import generator
from harness.metrics.unlearning.attackers import logistic, many_support_vectors, solve, support_vectors


def sides(seed: int, n: int, apart: float) -> tuple[np.ndarray, np.ndarray]:
    random = generator(seed, "world", "sides")
    x = np.concatenate([random.normal(apart, 1, n), random.normal(0, 1, n)])
    return 1 / (1 + np.exp(-x)), np.arange(2 * n) < n


@pytest.mark.parametrize("apart", [0.0, 1.0, 30.0])
def test_logistic_regression_is_that_of_scikit_learn(apart: float) -> None:
    x, member = sides(0, 60, apart)
    weight = generator(1, "world", "weights").integers(0, 4, size=(3, 120)).astype(float)
    for row, (slope, intercept) in zip(weight, logistic(x, member, weight), strict=True):
        peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(x[:, None], member, sample_weight=row)
        assert slope == pytest.approx(peer.coef_[0, 0], abs=1e-4)
        assert intercept == pytest.approx(peer.intercept_[0], abs=1e-4)


def test_logistic_regression_survives_far_values_and_a_bad_start() -> None:
    x, member = np.array([0.0, 1e-6, 900.0, 1000.0]), np.array([False, False, True, True])
    ones = np.ones((1, 4))
    assert logistic(x, member, ones, np.array([50.0, -3000.0])) == pytest.approx(logistic(x, member, ones), abs=1e-5)


@given(st.integers(0, 10_000), st.integers(5, 40), st.floats(0, 2))
@settings(max_examples=20, deadline=None)
def test_many_machines_at_once_are_those_of_libsvm(seed: int, n: int, apart: float) -> None:
    x, member = sides(seed, n, apart)
    weight = generator(seed, "world", "weights").integers(0, 5, size=(4, 2 * n)).astype(float)
    weight[:, [0, n]] += 1.0  # neither side may be empty
    target = np.linspace(0, 1, 101)
    found = many_support_vectors(x, member, weight, target)
    for row, said in zip(weight, found, strict=True):
        peer = SVC(C=3.0, gamma="auto").fit(x[row > 0, None], member[row > 0], sample_weight=row[row > 0])
        clear = np.abs(peer.decision_function(target[:, None])) > 0.02  # both stop at violations of 1e-3
        assert (said == peer.predict(target[:, None]))[clear].all()
        assert (support_vectors(x, member, row, target) == peer.predict(target[:, None])).all()


def test_the_solution_keeps_the_bounds_and_the_sum() -> None:
    x, member = sides(2, 20, 0.5)
    bound = 3.0 * generator(3, "world", "weights").integers(1, 5, size=(6, 40))
    beta, intercept = solve(np.exp(-((x[:, None] - x) ** 2)), member, bound)
    assert np.abs(beta.sum(axis=1)) == pytest.approx(0.0, abs=1e-9)
    assert (beta[:, member] >= 0).all()
    assert (beta[:, ~member] <= 0).all()
    assert (np.abs(beta) <= bound).all()
    assert np.isfinite(intercept).all()


def test_weights_are_copies() -> None:
    x, member = sides(4, 15, 1.0)
    weight, target = np.tile([1.0, 2.0, 3.0], 10), np.linspace(0, 1, 50)
    copies = np.repeat(np.arange(30), weight.astype(int))
    alone = support_vectors(x[copies], member[copies], np.ones(len(copies)), target)
    assert (alone == support_vectors(x, member, weight, target)).mean() >= 0.98
    assert logistic(x, member, weight[None]) == pytest.approx(
        logistic(x[copies], member[copies], np.ones((1, len(copies)))), abs=1e-7
    )
