"""Condition annealing in closed form (generation.md section 6.3), and low guidance (6.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness import keys
from harness.methods.baseline import load_baseline
from harness.methods.diversity.cads import Branches, Cads, Statistics, anneal, gamma
from harness.methods.diversity.iid import Iid
from harness.methods.diversity.low_guidance import LowGuidance
from harness.methods.method import Condition, Couples, Group, Step
from harness.models.diffusion.loop import sample


def _y(count: int = 3, *shape: int) -> torch.Tensor:
    return 2.0 + 3.0 * torch.stack([keys.normal(shape or (5, 7), 0, "world", i) for i in range(count)])


def _step(time: float, index: int = 0) -> Step:
    return Step(index, 10, 1000 * time, time, 0.5, 0.5)


def _group(count: int = 3, seed: int = 3) -> Group:
    return Group(seed, 0, "hat", 0, tuple(range(count)))


@pytest.mark.parametrize(("time", "expected"), [(0.0, 1.0), (0.6, 1.0), (0.75, 0.5), (0.9, 0.0), (1.0, 0.0)])
def test_gamma_is_piecewise_linear(time: float, expected: float) -> None:
    assert gamma(time, 0.6, 0.9) == pytest.approx(expected)


def test_equal_ends_are_a_step_function() -> None:
    assert [gamma(t, 0.5, 0.5) for t in (0.4, 0.5, 0.51)] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_full_rescaling_keeps_mean_and_spread_of_every_sample(share: float) -> None:
    y, n = _y(), _y(4)[1:]
    found = anneal(y, n, share, 0.25, 1.0, per_sample=True)
    assert torch.allclose(found.mean((1, 2)), y.mean((1, 2)), atol=1e-5)
    assert torch.allclose(found.std((1, 2)), y.std((1, 2)), atol=1e-5)
    assert float((found - y).abs().max()) > 0.1


def test_without_rescaling_it_is_the_formula() -> None:
    y, n = _y(), torch.ones(3, 5, 7)
    assert torch.allclose(anneal(y, n, 0.36, 0.25, 0.0, True), 0.6 * y + 0.25 * 0.8)
    half = anneal(y, n, 0.36, 0.25, 0.5, True)
    assert torch.allclose(half, 0.5 * anneal(y, n, 0.36, 0.25, 1.0, True) + 0.5 * (0.6 * y + 0.2), atol=1e-6)


def test_no_noise_and_full_rescaling_give_the_condition_back() -> None:
    y = _y()
    assert torch.allclose(anneal(y, y, 0.4, 0.0, 1.0, True), y, atol=1e-5)


def test_a_constant_condition_gives_itself_and_no_nan() -> None:
    """s = 0 and γ = 0: ŷ is 0 everywhere, its spread 0."""
    y = _y()
    assert torch.equal(anneal(y, y, 0.0, 0.0, 1.0, True), y)


def test_statistics_of_the_group_couple_samples_and_those_of_a_sample_do_not() -> None:
    y, n = _y(4), _y(8)[4:]
    for statistics, coupled in ((Statistics.SAMPLE, False), (Statistics.GROUP, True)):
        per_sample = statistics is Statistics.SAMPLE
        whole, part = anneal(y, n, 0.2, 0.25, 1.0, per_sample), anneal(y[:2], n[:2], 0.2, 0.25, 1.0, per_sample)
        assert torch.allclose(whole[:2], part, atol=1e-6) != coupled
        assert Cads(statistics=statistics).coupling() is (Couples.GROUP if coupled else Couples.NOTHING)


def test_late_in_sampling_the_condition_object_is_untouched() -> None:
    condition = Condition(_y())
    for method in (Cads(), Cads(branches=Branches.BOTH)):
        assert method.condition(condition, _step(0.6), _group()) is condition
        assert method.negative(condition, _step(0.6), _group()) is condition
    assert Cads().negative(condition, _step(0.95), _group()) is condition
    assert Cads(s=0.0).condition(condition, _step(0.95), _group()) is condition
    assert Cads().condition(condition, _step(0.95), _group()) is not condition


def test_noise_is_fresh_at_every_step_and_differs_by_sample_branch_and_part() -> None:
    method = Cads(psi=0.0, branches=Branches.BOTH, tau1=0.0, tau2=0.0)  # y' = s n
    condition = Condition(torch.zeros(2, 5, 7), torch.zeros(2, 35))
    first, second = (method.condition(condition, _step(0.95, i), _group(2)) for i in (0, 1))
    negative = method.negative(condition, _step(0.95, 0), _group(2))
    assert first.pooled is not None
    parts = [first.embeddings[0], first.embeddings[1], second.embeddings[0], negative.embeddings[0]]
    flat = [p.flatten() / 0.25 for p in parts] + [first.pooled[0] / 0.25]
    for i, one in enumerate(flat):
        assert float(one.std()) == pytest.approx(1.0, abs=0.4)
        assert all(not torch.allclose(one, other) for other in flat[:i])
    again = method.condition(condition, _step(0.95, 0), _group(2))
    assert torch.equal(again.embeddings, first.embeddings)


@pytest.mark.parametrize(("preset", "branches"), [("cads@paper", {1.0}), ("cads@plugin", {0.0, 1.0})])
def test_the_two_published_readings_reach_the_branches_they_name(
    tiny_model: Any, preset: str, branches: set[float]
) -> None:
    """w = 1 calls the conditional network alone, w = 0 the unconditional one."""
    method = Cads(**load_baseline(preset).params)
    for w in (0.0, 1.0):
        base, found = (
            sample(tiny_model(), m, [_group(4, seed=7)], seed=7, guidance=w).latents for m in (Iid(), method)
        )
        assert np.array_equal(base, found) == (w not in branches)


def test_the_order_of_the_ends_is_checked() -> None:
    with pytest.raises(ValueError, match=r"tau1 0\.9 is above tau2 0\.6"):
        Cads(tau1=0.9, tau2=0.6)


def test_a_shifted_flow_schedule_spends_more_steps_in_noise() -> None:
    """Trap of section 6.3: 10 % and 40 % of uniform steps unshifted, 25 % and 67 % with shift 3."""
    u = np.linspace(0, 1, 100_001)
    for shift, noise, any_noise in ((1.0, 0.10, 0.40), (3.0, 0.25, 0.67)):
        times = shift * u / (1 + (shift - 1) * u)
        shares = np.array([gamma(t, 0.6, 0.9) for t in times])
        assert (shares == 0).mean() == pytest.approx(noise, abs=0.005)
        assert (shares < 1).mean() == pytest.approx(any_noise, abs=0.005)


# --- low guidance -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("w", "conditional", "unconditional"), [(1.0, True, False), (0.0, False, True), (1.5, True, True)]
)
def test_low_guidance_is_the_models_option(
    toy: Any, make_groups: Any, w: float, conditional: bool, unconditional: bool
) -> None:
    found = sample(toy(), LowGuidance(w=w), make_groups(1), seed=7)
    expected = sample(toy(), LowGuidance(w=2.0), make_groups(1), seed=7, guidance=w)
    plain = sample(toy(), LowGuidance(w=w), make_groups(1), seed=7, guidance=w)
    assert np.array_equal(found.latents, plain.latents)
    assert not np.array_equal(found.latents, expected.latents)  # its w wins over the model's
    assert (found.calls["conditional"] > 0, found.calls["unconditional"] > 0) == (conditional, unconditional)
    assert plain.activity == ()
    assert {row[2] for row in found.activity} == {"guidance.changed"}
