"""Computational accuracy, pass@k and exact match: closed forms, outcomes that sum to one, twins."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from harness.metrics.code_tests import OUTCOMES, ComputationalAccuracy, PassAtK, pass_at_k
from harness.metrics.exact import Exact
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus
from harness.stats.intervals import interval

RUNNER = "python-tests"


def judged(items: Items, outcome: Any) -> Evidence:
    found = np.array(outcome)
    passed = np.where(found == "pass", 3, 1)
    said = {"outcome": found, "passed": passed, "tests": np.full(len(found), 3)}
    return Evidence(items, judged={RUNNER: said})


def test_pass_at_k_closed_forms() -> None:  # T65
    assert pass_at_k(10, 3, 1) == pytest.approx(0.3, abs=1e-12)
    assert pass_at_k(10, 3, 5) == pytest.approx(0.9166667, abs=5e-8)
    assert pass_at_k(10, 6, 5) == 1.0
    assert pass_at_k(4, 0, 4) == 0.0


@pytest.mark.parametrize(("n", "c", "k"), [(5, 2, 3), (6, 1, 2), (7, 4, 1)])
def test_pass_at_k_counts_the_subsets_that_hold_a_program_that_passes(n: int, c: int, k: int) -> None:
    chosen = list(combinations(range(n), k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(min(s) < c for s in chosen) / len(chosen))


def test_pass_at_k_is_a_mean_over_problems(make_items: Callable[..., Items]) -> None:
    items = make_items(2, 10, 1)
    found = PassAtK(RUNNER, k=5).measure(judged(items, ["pass"] * 3 + ["wrong"] * 7 + ["wrong"] * 10))
    assert found.value == pytest.approx(0.9166667 / 2, abs=5e-8)
    assert found.n == 2
    with pytest.raises(CannotMeasure) as caught:
        PassAtK(RUNNER, k=11).measure(judged(items, ["pass"] * 20))
    assert caught.value.status is ScoreStatus.INSUFFICIENT_N


def test_every_program_counts_and_the_outcomes_sum_to_one(make_items: Callable[..., Items]) -> None:
    outcome = [OUTCOMES[i % 7] for i in range(21)]
    found = ComputationalAccuracy(RUNNER).measure(judged(make_items(21, 1, 1), outcome))
    assert found.value == pytest.approx(3 / 21)
    shares = [found.companions[name].value for name in OUTCOMES[1:]]
    assert found.value + sum(shares) == pytest.approx(1.0)
    assert found.n == 21
    assert found.companions["tests"].value == pytest.approx((3 + 18 / 3) / 21)
    assert found.units is not None
    assert interval(ComputationalAccuracy.estimator, found.units).method.startswith("wilson")


def test_an_unknown_outcome_is_a_failure_of_the_judge(make_items: Callable[..., Items]) -> None:
    with pytest.raises(CannotMeasure, match="crashed"):
        ComputationalAccuracy(RUNNER).measure(judged(make_items(2, 1, 1), ["pass", "crashed"]))
    with pytest.raises(CannotMeasure, match="2 judgements"):
        ComputationalAccuracy(RUNNER).measure(judged(make_items(3, 1, 1), ["pass", "wrong"]))


def test_exact_match_sees_indentation_and_no_trailing_space(make_items: Callable[..., Items]) -> None:
    texts = np.array(["a\n    b", "a \n    b\n", "a\n  b", ""])
    found = Exact().measure(Evidence(make_items(4, 1, 1), outputs=texts, references=(("x", "a\n    b\n"),) * 4))
    assert found.items is not None
    assert found.items[2].tolist() == [1.0, 1.0, 0.0, 0.0]
