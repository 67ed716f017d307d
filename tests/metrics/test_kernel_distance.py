"""Kernel distance: the direct sum, no clamping, leave-one-group-out, and the level of its interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import kernel_distance
from harness.metrics.kernel_distance import FEWEST, KernelDistance, inside_sum, kernel, mmd2
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus
from harness.stats.groups import jackknife_groups
from harness.stats.intervals import interval
from harness.stats.units import Estimator


def evidence(x: np.ndarray, y: np.ndarray, prompts: int = 10) -> Evidence:
    prompt = np.arange(len(x)) % prompts
    who = Items(prompt, np.arange(len(x)) // prompts, prompt, tuple(f"prompt {p}" for p in range(prompts)))
    return Evidence(who, features={("generated", "avatars"): x, ("reference", "avatars"): y})


def direct(x: np.ndarray, y: np.ndarray) -> float:
    """All pairs, one by one."""

    def mean(a, b, same):
        pairs = [(p @ q / len(p) + 1) ** 3 for i, p in enumerate(a) for j, q in enumerate(b) if not same or i != j]
        return np.mean(pairs)

    return mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)


def test_value_is_the_direct_sum_over_all_pairs() -> None:  # T16
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 5)), rng.normal(size=(31, 5)) + 0.5
    assert mmd2(x, y)[0] == pytest.approx(direct(x, y), abs=1e-10)
    assert mmd2(x, y)[0] == pytest.approx(mmd2(y, x)[0], abs=1e-12)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(90, 6)), rng.normal(size=(70, 6))
    groups = jackknife_groups(np.array([f"{i % 9}" for i in range(90)]))
    whole, parts = mmd2(x, y, groups.index, len(groups))
    monkeypatch.setattr(kernel_distance, "BLOCK", 500)
    again, again_parts = mmd2(x, y, groups.index, len(groups))
    assert again == pytest.approx(whole, abs=1e-12)
    assert again_parts == pytest.approx(parts, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(12, 60), st.integers(3, 40), st.integers(1, 12), st.integers(0, 2**31))
def test_leaving_a_group_out_is_computing_without_it(n: int, m: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    groups = jackknife_groups(np.array([f"{min(i % 8, 5)}" for i in range(n)]))  # groups of unequal size
    full, left_out = mmd2(x, y, groups.index, len(groups))
    assert full == pytest.approx(mmd2(x, y)[0], abs=1e-9)
    assert left_out == pytest.approx([mmd2(x[groups.index != g], y)[0] for g in range(len(groups))], abs=1e-8)


def test_equal_laws_give_zero_on_average_and_sometimes_less() -> None:  # T19
    rng = np.random.default_rng(2)
    values = [mmd2(rng.normal(size=(60, 16)), rng.normal(size=(60, 16)))[0] for _ in range(500)]
    assert abs(np.mean(values)) < 3 * np.std(values, ddof=1) / np.sqrt(500)
    assert min(values) < 0


def test_global_generators_change_nothing_and_are_left_alone() -> None:  # T17
    rng = np.random.default_rng(3)
    case = evidence(rng.normal(size=(100, 8)), rng.normal(size=(80, 8)))
    results = []
    for seed in (0, 1):
        np.random.seed(seed)  # noqa: NPY002
        before = np.random.get_state()[1].tobytes()  # noqa: NPY002
        results.append(KernelDistance("avatars").measure(case).value)
        assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002
    assert results[0] == results[1]


def test_float32_features_change_the_value_only_by_their_rounding() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(200, 64)), rng.normal(size=(200, 64))
    wide = KernelDistance("avatars").measure(evidence(x, y)).value
    narrow = KernelDistance("avatars").measure(evidence(x.astype(np.float32), y.astype(np.float32))).value
    assert narrow == pytest.approx(wide, abs=2.2e-6)


@pytest.mark.parametrize(("generated", "reference"), [(FEWEST - 1, 100), (100, FEWEST - 1)])
def test_too_few_items_have_no_value(generated: int, reference: int) -> None:  # T20
    rng = np.random.default_rng(5)
    case = evidence(rng.normal(size=(generated, 4)), rng.normal(size=(reference, 4)))
    with pytest.raises(CannotMeasure, match=f"at least {FEWEST} .* found {FEWEST - 1}") as caught:
        KernelDistance("avatars").measure(case)
    assert caught.value.status is ScoreStatus.INSUFFICIENT_N


@pytest.mark.parametrize(("shift", "runs"), [(0.0, 150), (0.1, 150)])
def test_jackknife_interval_holds_its_level_given_the_reference(shift: float, runs: int) -> None:
    """Truth in closed form: x ~ N(0, I), so E k(x, x') = 1 + 3/D and E k(x, y) = 1 + 3 |y|²/D²."""
    rng = np.random.default_rng(6)
    d, n = 64, 400
    y = rng.normal(size=(n, d)) + shift
    truth = 1 + 3 / d + inside_sum(y) / (n * (n - 1)) - 2 * np.mean(1 + 3 * (y**2).sum(1) / d**2)
    groups = jackknife_groups(np.array([f"{i % 20:02d}" for i in range(n)]))
    hits = []
    for _ in range(runs):
        full, left_out = mmd2(rng.normal(size=(n, d)), y, groups.index, len(groups))
        found = interval(Estimator.U_STATISTIC, groups.units(full, left_out), value=full)
        hits.append(found.low < truth < found.high)
    assert np.mean(hits) > 0.91  # .95 less 2 standard errors of 150 runs; .98 to .99 where the statistic degenerates


def test_kernel_of_a_pair() -> None:
    assert kernel(np.array([[1.0, 2.0]]), np.array([[3.0, 1.0]])) == pytest.approx((5 / 2 + 1) ** 3)
