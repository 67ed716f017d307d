"""Vendi and RKE: published values, both routes, leave-one-group-out, pooled against per prompt."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.inputs import unit_rows
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus
from harness.metrics.spectrum import RKE, RKEPrompt, Similarity, Vendi, VendiPrompt, effective_number
from harness.options import OptionError
from harness.stats.groups import jackknife_groups
from harness.stats.intervals import interval
from harness.stats.paired import paired_difference
from harness.stats.units import CannotInfer, Estimator, UnitKind

ORDERS = (0.5, 1.0, 2.0, 3.0, math.inf)


def evidence(x: np.ndarray, prompts: int = 10) -> Evidence:
    prompt = np.arange(len(x)) % prompts
    who = Items(prompt, np.arange(len(x)) // prompts, prompt, tuple(f"prompt {p}" for p in range(prompts)))
    return Evidence(who, features={("generated", "avatars"): x})


def whole(x: np.ndarray, q: float, kernel="cosine", bandwidth=None) -> float:
    return Similarity.of(x, kernel, bandwidth).value(q, np.zeros(len(x), dtype=int), 0)[0]


@pytest.mark.parametrize(("q", "value"), [(1.0, 1.38415), (2.0, 1.21951), (math.inf, 1.11111)])
def test_nine_copies_and_one_other(q: float, value: float) -> None:  # T26
    x = np.array([[1.0, 0.0]] * 9 + [[0.0, 1.0]])
    assert whole(x, q) == pytest.approx(value, abs=1e-5)
    assert whole(7.0 * x, q) == pytest.approx(value, abs=1e-5)  # T27: lengths do not count


@pytest.mark.parametrize("q", ORDERS)
def test_orthonormal_rows_count_fully_and_equal_rows_once(q: float) -> None:  # T26
    x = np.linalg.qr(np.random.default_rng(0).normal(size=(12, 12)))[0]
    assert whole(x, q) == pytest.approx(12.0, rel=1e-9)
    assert whole(np.repeat(x, 3, axis=0), q) == pytest.approx(12.0, rel=1e-6)  # orders below 1 see rounding
    tolerance = 1e-6 if q >= 1 else 1e-3
    assert whole(np.tile(x[:1], (30, 1)), q) == pytest.approx(1.0, abs=tolerance)


@pytest.mark.parametrize("q", [1.0, 2.0, math.inf])
def test_both_routes_agree(q: float) -> None:  # T27
    x = np.random.default_rng(1).normal(size=(120, 40))
    groups = jackknife_groups(np.array([f"{i % 7}" for i in range(120)]))
    rows = unit_rows(x)
    dual, primal = Similarity(rows, None), Similarity(None, rows @ rows.T)
    one, two = dual.value(q, groups.index, len(groups)), primal.value(q, groups.index, len(groups))
    assert one[0] == pytest.approx(two[0], abs=1e-8)
    assert one[1] == pytest.approx(two[1], abs=1e-8)


def test_the_smaller_matrix_is_taken() -> None:  # T27
    rng = np.random.default_rng(2)
    assert Similarity.of(rng.normal(size=(50, 8)), "cosine", None).kernel is None
    assert Similarity.of(rng.normal(size=(8, 50)), "cosine", None).vectors is None


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(1, 40), st.integers(0, 2**31))
def test_order_two_needs_no_eigenvalues(n: int, d: int, seed: int) -> None:  # T66
    x = unit_rows(np.random.default_rng(seed).normal(size=(n, d)))
    kernel = x @ x.T
    assert whole(x, 2.0) == pytest.approx(n**2 / (kernel**2).sum(), rel=1e-10)
    by_spectrum = float(effective_number(np.linalg.eigvalsh(kernel) / n, 2.0))
    assert whole(x, 2.0) == pytest.approx(by_spectrum, rel=1e-10)
    assert 1 - 1e-9 <= whole(x, math.inf) <= whole(x, 2.0) + 1e-9 <= whole(x, 1.0) + 2e-9 <= n + 3e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(12, 40), st.integers(1, 30), st.sampled_from(ORDERS[1:]), st.booleans(), st.integers(0, 2**31))
def test_leaving_a_group_out_is_computing_without_it(n: int, d: int, q: float, gaussian: bool, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(n, d))
    kernel = ("gaussian", 0.5) if gaussian else ("cosine", None)
    groups = jackknife_groups(np.array([f"{min(i % 8, 5)}" for i in range(n)]))
    full, left_out = Similarity.of(x, *kernel).value(q, groups.index, len(groups))
    assert full == pytest.approx(whole(x, q, *kernel), rel=1e-7)
    again = [whole(x[groups.index != g], q, *kernel) for g in range(len(groups))]
    assert left_out == pytest.approx(again, rel=1e-7)


@pytest.mark.parametrize(("n", "value"), [(250, 153.7), (500, 198.4), (1000, 225.2)])
def test_value_grows_with_n(n: int, value: float) -> None:  # 256-d normal, cosine
    assert whole(np.random.default_rng(3).normal(size=(n, 256)), 1.0) == pytest.approx(value, rel=0.01)


def test_gaussian_kernel_spreads_with_its_bandwidth() -> None:
    x = np.random.default_rng(4).normal(size=(60, 8))
    values = [whole(x, 1.0, "gaussian", b) for b in (1e-3, 0.3, 1.0, 1e3)]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(60.0)
    assert values[-1] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("options", [{"kernel": "gaussian"}, {"bandwidth": 1.0}])
@pytest.mark.parametrize("metric", [Vendi, RKE])
def test_bandwidth_belongs_to_the_gaussian_kernel(metric, options: dict) -> None:
    with pytest.raises(OptionError, match="bandwidth: the"):
        metric("avatars", **options)


def test_every_option_is_in_the_id() -> None:
    made = [Vendi("avatars"), Vendi("avatars", q=2.0), Vendi("avatars", kernel="gaussian", bandwidth=1.0)]
    made += [Vendi("avatars", kernel="gaussian", bandwidth=2.0), VendiPrompt("avatars"), RKE("avatars")]
    assert len({str(m.identify()) for m in made}) == len(made)
    assert VendiPrompt("avatars").name == "vendi.avatars.prompt"
    assert str(Vendi("avatars", q=math.inf).identify()).startswith("vendi.avatars[q=inf,")


def test_pooled_value_has_pseudo_values_and_rke_is_its_second_order() -> None:
    x = np.random.default_rng(5).normal(size=(100, 8)).astype(np.float32)
    vendi, rke = Vendi("avatars", q=2.0).measure(evidence(x)), RKE("avatars").measure(evidence(x))
    assert vendi.value == rke.value  # T66
    assert vendi.units is not None
    assert vendi.units.kind is UnitKind.PSEUDO
    found = interval(Estimator.SPECTRUM, vendi.units, value=vendi.value)
    assert found.low < vendi.value < found.high


def test_value_per_prompt_is_the_mean_of_each_prompts_own() -> None:
    x = np.random.default_rng(6).normal(size=(60, 16))
    for metric, q in ((VendiPrompt("avatars"), 1.0), (RKEPrompt("avatars"), 2.0)):
        found = metric.measure(evidence(x, prompts=10))
        each = [whole(x[np.arange(60) % 10 == p], q) for p in range(10)]
        assert found.value == pytest.approx(np.mean(each))
        assert found.units is not None
        assert found.units.value == pytest.approx(each)
        assert (found.n, found.units.kind) == (10, UnitKind.ITEMS)
        assert found.items[1][3] == "prompt 3"
    many = np.random.default_rng(7).normal(size=(60, 2))  # more items a prompt than features: the other route
    each = [whole(many[np.arange(60) % 10 == p], 1.0) for p in range(10)]
    assert VendiPrompt("avatars").measure(evidence(many, prompts=10)).value == pytest.approx(np.mean(each))


@pytest.mark.parametrize(
    ("x", "prompts", "status", "reason"),
    [
        (np.eye(61), 10, ScoreStatus.PROTOCOL_MISMATCH, "prompts have 6 to 7 items"),
        (np.eye(10), 10, ScoreStatus.INSUFFICIENT_N, "at least 2 items a prompt needed; found 1"),
        (np.zeros((40, 4)), 10, ScoreStatus.UNDEFINED, "have no direction"),
    ],
)
def test_what_has_no_value_per_prompt_says_why(x, prompts: int, status: ScoreStatus, reason: str) -> None:
    with pytest.raises(CannotMeasure, match=reason) as caught:
        VendiPrompt("avatars").measure(evidence(x, prompts))
    assert caught.value.status is status


def test_unequal_n_is_refused() -> None:  # T28
    rng = np.random.default_rng(8)
    one, two = (Vendi("avatars").measure(evidence(rng.normal(size=(n, 4)))) for n in (100, 80))
    with pytest.raises(CannotInfer, match="another n"):
        paired_difference(Estimator.SPECTRUM, one.units, two.units)
