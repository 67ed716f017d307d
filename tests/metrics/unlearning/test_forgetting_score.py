from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.keys import generator
from harness.metrics.metric import CannotMeasure, Evidence, ScoreStatus
from harness.metrics.unlearning.distinguishing import CAP, epsilons, example
from harness.metrics.unlearning.forgetting_score import (
    ForgettingRatio,
    ForgettingScore,
    forgetting_score,
    points,
)
from harness.metrics.unlearning.outcomes import Pool

PERFECT, SHIFTED = {32: 0.18, 64: 0.17}, {32: 0.064, 64: 0.043}  # the reference's table


def drawn(key: str, models: int, examples: int = 100, shift: float = 0.0) -> np.ndarray:
    return generator(0, "world", key, models).normal(2.0 + shift * 1.5, 1.5, size=(models, examples))


def epsilon(u: np.ndarray, r: np.ndarray) -> float:
    ones = np.ones((1, len(u)))
    return float(example(u, r).epsilon(ones, ones)[0])


@pytest.mark.parametrize("models", [32, 64])
def test_the_table_of_the_reference(models: int) -> None:
    # 100 examples: the mean of points with an sd of about .15 has a standard error of .015.
    same = forgetting_score(drawn("a", models), drawn("b", models))
    assert same == pytest.approx(PERFECT[models], abs=0.045)
    away = forgetting_score(drawn("a", models, shift=1.0), drawn("b", models))
    assert away == pytest.approx(SHIFTED[models], abs=0.025)


def test_disjoint_families_have_the_largest_epsilon_and_no_points() -> None:
    u, r = np.linspace(0, 1, 40), np.linspace(3, 4, 40)
    assert epsilon(u, r) == CAP
    assert epsilon(r, u) == CAP
    assert forgetting_score(u[:, None], r[:, None]) == 0.0


def test_a_family_without_spread_has_the_largest_epsilon() -> None:
    wide = np.linspace(-5, 5, 40)
    assert epsilon(np.full(40, 0.1) + 1e-3 * wide, wide) == CAP
    assert epsilon(np.zeros(40), np.zeros(40)) == 0.0
    assert epsilon(np.zeros(40), np.ones(40)) == CAP


def by_hand(u: np.ndarray, r: np.ndarray) -> float:
    """Every rule of the reference, one after the other."""
    found, n = [0.0], len(u)

    def judge(positive: np.ndarray, negative: np.ndarray) -> None:
        for fnr, fpr in zip((~positive).mean(axis=-1), negative.mean(axis=-1), strict=True):
            if fnr == 0 and fpr == 0:
                found.append(CAP)
            elif fnr > 0 and fpr > 0:
                found.extend(math.log(1 - 1e-5 - a) - math.log(b) for a, b in ((fpr, fnr), (fnr, fpr)) if a < 1)

    p, q = (r, u) if np.median(r) > np.median(u) else (u, r)
    low, high = min(u.min(), r.min()), max(u.max(), r.max())
    cuts = np.linspace(low, high, math.ceil((high - low) * 100))[:, None]
    judge(p >= cuts, q >= cuts)
    p, q = (u, r) if np.ptp(u) < np.ptp(r) else (r, u)
    for right in np.linspace(p.max() - 2, p.max() + 2, 400):
        left = right - np.ptp(p) + np.linspace(-2, 2, 400)[:, None]
        masks = np.unique(np.concatenate([(left <= x) & (x <= right) for x in (p, q)], axis=1), axis=0)
        judge(masks[:, :n], masks[:, n:])
    return min(CAP, max(found))


@pytest.mark.parametrize("case", [(0.0, 1.0), (1.2, 0.5)])
def test_epsilon_is_the_best_rule_of_all(case: tuple[float, float]) -> None:
    random = generator(5, "world", "epsilon")
    u, r = random.normal(case[0], case[1], 7), random.normal(0, 1, 7)
    assert 0 < by_hand(u, r) < CAP
    assert epsilon(u, r) == pytest.approx(by_hand(u, r), abs=1e-9)


@given(st.integers(0, 1000), st.floats(-3, 3))
@settings(max_examples=15, deadline=None)
def test_epsilon_is_bounded_and_does_not_know_who_is_who(seed: int, shift: float) -> None:
    random = generator(seed, "world", "swap")
    u, r = random.normal(shift, 1.0, 33), random.normal(0, 1.3, 33)
    assert 0.0 <= epsilon(u, r) <= CAP
    assert epsilon(u, r) == pytest.approx(epsilon(r, u), abs=1e-12)


def test_the_table_of_epsilons_is_its_formula() -> None:
    table = epsilons(4)
    assert table[0, 0] == CAP
    assert (table[0, 1:] == -1).all()
    assert (table[1:, 0] == -1).all()
    assert table[1, 1] == pytest.approx(math.log(1 - 1e-5 - 0.25) - math.log(0.25))
    assert table[1, 2] == pytest.approx(
        max(math.log(0.5 - 1e-5) - math.log(0.25), math.log(0.75 - 1e-5) - math.log(0.5))
    )
    assert table[4, 4] == -1  # both logarithms are of negative numbers: no evidence


def test_points_halve_from_bucket_to_bucket_until_n_is_too_small() -> None:
    assert points(np.array([0.0, 0.49, 0.5, 1.2, 49.0, 50.0]), 512).tolist() == [1.0, 1.0, 0.5, 0.25, 0.0, 0.0]
    for models, buckets in ((512, 14), (64, 10), (32, 8)):
        assert (points(np.arange(40) * 0.5 + 0.25, models) > 0).sum() == buckets


def pooled(evidence: Evidence, pool: Pool | None) -> Evidence:
    assert evidence.outcomes is not None
    return dataclasses.replace(evidence, outcomes=dataclasses.replace(evidence.outcomes, pool=pool))


def test_the_oracle_stands_beside_the_score_and_bounds_it(evidence: Evidence) -> None:
    assert evidence.outcomes is not None
    pool = evidence.outcomes.pool
    assert pool is not None
    perfect = Pool(pool.oracle, pool.retrained, pool.oracle)
    found, ratio = (m.measure(pooled(evidence, perfect)) for m in (ForgettingScore(32), ForgettingRatio(32)))
    utility = found.companions["utility"].value
    assert found.companions["forgetting"].value == found.companions["oracle"].value
    assert found.value == pytest.approx(utility * found.companions["oracle"].value)
    assert ratio.value == pytest.approx(utility)
    assert found.companions["oracle"].value < 0.5  # a perfect unlearner does not get 1


def test_the_utility_falls_with_what_was_lost(evidence: Evidence) -> None:
    own = evidence.outcomes
    assert own is not None
    kept = np.where((own.role == "retain")[:, None], -own.logits_retrain, own.logits_retrain)  # type: ignore[operator]
    right = own.logits_retrain.argmax(axis=1) == own.label  # type: ignore[union-attr]
    lost = (kept.argmax(axis=1) == own.label)[own.role == "retain"].mean() / right[own.role == "retain"].mean()
    spoilt = dataclasses.replace(evidence, outcomes=dataclasses.replace(own, logits=kept))
    assert lost < 0.5
    assert ForgettingScore(32).measure(spoilt).companions["utility"].value == pytest.approx(lost)


def test_a_shifted_family_scores_below_the_oracle(evidence: Evidence) -> None:
    assert evidence.outcomes is not None
    pool = evidence.outcomes.pool
    assert pool is not None
    away = (
        pool.unlearned + 4.0 * np.eye(4, dtype=np.float32)[evidence.outcomes.label[evidence.outcomes.role == "forget"]]
    )
    assert ForgettingRatio(32).measure(pooled(evidence, Pool(away, pool.retrained, pool.oracle))).value < 0.2


def test_too_few_models_are_refused(evidence: Evidence) -> None:
    for broken in (evidence, pooled(evidence, None)):
        with pytest.raises(CannotMeasure, match="64 unlearned") as caught:
            ForgettingScore().measure(broken)
        assert caught.value.status is ScoreStatus.INSUFFICIENT_N
    from harness.options import OptionError, build

    with pytest.raises(OptionError, match="at least 32"):
        build(ForgettingScore, {"models": 31})
