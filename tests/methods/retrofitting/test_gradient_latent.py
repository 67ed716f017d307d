"""Gradient latent search: generation.md sections 6.9 to 6.11."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from latent_toys import ToyLatents, centres, linear

from harness.methods.baseline import load_baseline
from harness.methods.retrofitting.gradient_latent import GradientLatent, Prior, Rule, Stepper, clipped, penalty
from harness.options import build


def bowl(d: int, samples: Any) -> ToyLatents:
    """-‖z - c‖² and its gradient."""
    c = centres(d, range(10))
    return ToyLatents(d, samples, lambda z, of: -((z - c[list(of)]) ** 2).sum(1), lambda z, of: -2 * (z - c[list(of)]))


@pytest.mark.parametrize("prior", list(Prior))
@pytest.mark.parametrize("options", [{"steps": 0}, {"eta": 0.0, "rho": 0.3}, {"eta": 0.0, "rule": Rule.ADAM}])
def test_without_steps_or_without_a_step_size_it_is_the_start_bit_for_bit(prior: Prior, options: Any) -> None:
    oracle = bowl(16, range(4))
    found = GradientLatent(prior=prior, **options).refine(oracle, seed=0)
    assert found.latents.tobytes() == oracle.latents.tobytes()


def test_the_sphere_keeps_its_radius() -> None:
    found = GradientLatent(steps=20, eta=0.1).refine(bowl(64, range(6)), seed=0)
    norms = np.linalg.norm(found.latents.astype(np.float64), axis=1)
    assert np.abs(norms / 8.0 - 1).max() < 1e-6  # float32


def test_a_linear_score_on_the_sphere_is_climbed_to_its_pole() -> None:
    found = GradientLatent(steps=200, eta=1.0).refine(linear(16, 5), seed=0)
    assert np.abs(found.latents - 4.0 * np.eye(1, 16)).max() < 1e-3
    assert found.best[:, -1] == pytest.approx(4.0, abs=1e-5)


def test_the_penalties_are_least_at_the_norm_of_a_prior_draw() -> None:
    """√(d-1) = 127.996 for d = 16384; the direction is the latent's own."""
    d = 16384
    z = np.full((1, d), 1.0)
    radius = (d - 1) ** 0.5
    assert radius == pytest.approx(127.996, abs=1e-3)
    for prior in (Prior.SOFT, Prior.CHI):
        at, inside, outside = (penalty(prior, 0.01, z / 128.0 * r) for r in (radius, radius - 1, radius + 1))
        assert np.abs(at[1]).max() < 1e-12
        assert at[0] < min(inside[0], outside[0])
        assert (inside[1] < 0).all()
        assert (outside[1] > 0).all()


@pytest.mark.parametrize("prior", [Prior.SOFT, Prior.CHI])
def test_the_gradient_of_a_penalty_is_that_of_its_value(prior: Prior) -> None:
    z = centres(5, range(3))
    slope = penalty(prior, 0.7, z)[1]
    for i in range(5):
        h = 1e-6 * np.eye(5)[i]
        measured = (penalty(prior, 0.7, z + h)[0] - penalty(prior, 0.7, z - h)[0]) / 2e-6
        assert np.allclose(slope[:, i], measured, atol=1e-7)


def test_a_soft_prior_alone_pulls_latents_to_its_radius() -> None:
    flat = ToyLatents(50, range(5), lambda z, _: np.zeros(len(z)), lambda z, _: np.zeros_like(z))
    found = GradientLatent(steps=60, eta=1.0, prior=Prior.SOFT, rho=0.3).refine(flat, seed=0)
    assert np.allclose(np.linalg.norm(found.latents, axis=1), 7.0, atol=1e-3)


def test_a_step_costs_three_evaluations_and_the_curve_says_when_it_was_paid() -> None:
    oracle, method = bowl(8, range(4)), GradientLatent(steps=5, eta=0.1, prior=Prior.NONE)
    found = method.refine(oracle, seed=0)
    assert (oracle.sloped, oracle.scored) == (5, 1)
    assert method.evaluations == 16
    assert found.best.shape == (4, 16)
    for t in range(5):
        assert (found.best[:, 3 * t : 3 * t + 3] == found.best[:, [3 * t]]).all()
    assert (np.diff(found.best[:, ::3], axis=1) > 0).all()  # a bowl, and steps short of its width
    assert np.array_equal(found.best[:, 0], bowl(8, range(4)).score(oracle.latents))
    assert np.allclose(found.best[:, -1], bowl(8, range(4)).score(found.latents))


def test_the_best_iterate_is_returned_not_the_last() -> None:
    """Steps wider than the bowl: every iterate is worse than the one before."""
    oracle = bowl(8, range(4))
    found = GradientLatent(steps=5, eta=1.5, prior=Prior.NONE).refine(oracle, seed=0)
    assert np.array_equal(found.latents, oracle.latents)


def test_the_default_is_compared_with_a_hundred_evaluations() -> None:
    assert GradientLatent().evaluations == 100


def test_clipping_shortens_items_one_by_one() -> None:
    rows = np.array([[3.0, 4.0], [0.03, 0.04], [0.0, 0.0]])
    assert np.allclose(clipped(rows, 0.1), [[0.06, 0.08], [0.03, 0.04], [0.0, 0.0]])
    assert clipped(rows, None) is rows


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"rule": "adam"}])
def test_steps_are_those_of_torch(options: dict[str, Any]) -> None:
    """SGD with Nesterov momentum, and Adam, on the same gradients; float64."""
    import torch

    gradients = [np.random.default_rng(i).standard_normal((3, 4)) for i in range(6)]
    z = torch.zeros(3, 4, dtype=torch.float64, requires_grad=True)
    if "rule" in options:
        reference: Any = torch.optim.Adam([z], lr=0.3)
    else:
        momentum = options.get("momentum", 0.0)
        reference = torch.optim.SGD([z], lr=0.3, momentum=momentum, nesterov=momentum > 0)
    ours, stepper = np.zeros((3, 4)), Stepper(Rule(options.get("rule", "sgd")), 0.3, options.get("momentum", 0.0))
    for gradient in gradients:
        z.grad = torch.from_numpy(-gradient)
        reference.step()
        ours = ours + stepper.step(gradient)
    assert np.allclose(ours, z.detach().numpy(), atol=1e-9)


def test_reno_is_its_code_written_with_torch() -> None:
    """One item, the preset's values: total = score - .01 (½‖z‖² - (d-1) ln‖z‖), clipped, SGD with momentum; best total.

    float32 on our side between steps, 50 steps: 1e-4.
    """
    import torch

    method = build(GradientLatent, load_baseline("gradient_latent@reno").params)
    oracle = bowl(6, (2,))
    centre = torch.from_numpy(centres(6, range(10))[2])
    z = torch.from_numpy(oracle.latents[0].astype(np.float64)).requires_grad_(True)
    reference = torch.optim.SGD([z], lr=5.0, momentum=0.9, nesterov=True)
    best, highest = z.detach().clone(), -float("inf")
    for t in range(51):
        total = -((z - centre) ** 2).sum() - 0.01 * (0.5 * (z**2).sum() - 5 * z.norm().log())
        if total.item() > highest:
            best, highest = z.detach().clone(), total.item()
        if t < 50:
            reference.zero_grad()
            (-total).backward()
            torch.nn.utils.clip_grad_norm_([z], 0.1)
            reference.step()
    assert np.allclose(method.refine(oracle, seed=0).latents[0], best.numpy(), atol=1e-4)


@pytest.mark.parametrize("rule", list(Rule))
def test_an_item_does_not_feel_which_others_are_at_hand(rule: Rule) -> None:
    method = GradientLatent(steps=8, eta=0.1, rule=rule, momentum=0.5, clip=1.0)
    whole, part = method.refine(bowl(8, (0, 1, 2, 3)), seed=0), method.refine(bowl(8, (3, 1)), seed=0)
    assert np.array_equal(whole.latents[[3, 1]], part.latents)
