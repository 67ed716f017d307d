"""RKE guidance in closed form (generation.md section 6.6)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness import keys
from harness.methods.diversity.iid import Iid
from harness.methods.diversity.sparke import PromptKernel, Sparke, gradient
from harness.methods.method import Couples, Group, Step
from harness.models.diffusion.loop import sample
from harness.models.diffusion.stage import LoopStage
from harness.tasks.task import RunContext
from harness.tasks.text_to_image import TextToImage

Groups = Callable[..., list[Group]]
PROMPTS = ("a portrait", "portrait of", "of baker", "a portrait")


def _points(count: int, dimension: int = 32, name: str = "points") -> torch.Tensor:
    return torch.stack([keys.normal((dimension,), 0, "world", name, i) for i in range(count)]).double()


def _step(index: int = 0, count: int = 50) -> Step:
    return Step(index, count, 500.0, 0.5, 0.6, 0.8)


def _group(prompt: int = 0, prompts: tuple[int, ...] = (0, 1, 2), dimension: int = 32) -> Group:
    finished = _points(len(prompts), dimension, "finished").float()
    return Group(7, prompt, PROMPTS[prompt], 0, (3,), finished=finished, finished_prompts=prompts)


def _prepared(model: Any, prompts: tuple[str, ...] = PROMPTS, **params: Any) -> Sparke:
    return Sparke(**params).prepare(LoopStage(model, prompts, lambda _: None))  # type: ignore[arg-type, return-value]


# --- the formula --------------------------------------------------------------------------------------------------


@given(st.integers(1, 6), st.floats(0.5, 2.0))
def test_the_gradient_is_that_of_finite_differences(count: int, sigma: float) -> None:
    """Central differences with step 1e-5 in float64: equal to 1e-8."""
    u, others = 0.4 * _points(1, 5, "u"), 0.4 * _points(count, 5, "others")
    weights = torch.linspace(0.1, 1, count, dtype=torch.float64)[None]

    def loss(at: torch.Tensor) -> float:
        return float((weights[0] * torch.exp(-((others - at) ** 2).sum(1) / (2 * sigma**2)) ** 2).sum())

    found = gradient(u, others, weights, sigma)
    for i in range(5):
        bump = torch.zeros(5, dtype=torch.float64)
        bump[i] = 1e-5
        assert float(found[0, i]) == pytest.approx((loss(u[0] + bump) - loss(u[0] - bump)) / 2e-5, abs=1e-8)


def test_it_descends_the_frobenius_norm_of_the_joint_kernel() -> None:
    """‖K_Z ∘ K_Y‖_F² holds every pair twice and the diagonal as a constant: half its gradient."""
    z, y = 0.3 * _points(5, 6, "z"), 0.2 * _points(5, 3, "y")
    k_y = torch.exp(-(torch.cdist(y, y) ** 2) / (2 * 0.3**2))
    with torch.enable_grad():
        last = z[-1:].clone().requires_grad_()
        all_z = torch.cat([z[:-1], last])
        squares = ((all_z[:, None] - all_z[None]) ** 2).sum(2)
        norm = ((torch.exp(-squares / (2 * 0.8**2)) * k_y) ** 2).sum()
        (whole,) = torch.autograd.grad(norm, last)
    found = gradient(z[-1:], z[:-1], k_y[-1:, :-1] ** 2, 0.8)
    assert torch.allclose(found, whole / 2, atol=1e-12)


def test_coincident_latents_have_no_gradient() -> None:
    u = _points(1)
    assert torch.equal(gradient(u, u.repeat(4, 1), torch.ones(1, 4), 0.8), torch.zeros_like(u))


@pytest.mark.parametrize("kernel", PromptKernel)
def test_a_step_is_eta_times_the_gradient_of_the_scaled_latents(toy: Any, kernel: PromptKernel) -> None:
    method, group = _prepared(toy()), _group(0, (0, 1, 2, 3))
    method = dataclasses.replace(method, prompts=kernel, eta=0.5)
    x = _points(1, 32, "x").float().view(1, 2, 4, 4)
    found = method.latent(x, _step(), group)
    assert group.finished is not None
    u, others = x.flatten(1).double() / math.sqrt(32), group.finished.double() / math.sqrt(32)
    weights = method.weights(group)

    def loss(at: torch.Tensor) -> float:
        return float((weights * torch.exp(-((others - at) ** 2).sum(1) / (2 * 0.8**2)) ** 2).sum())

    moved = (found.flatten(1).double() - x.flatten(1).double()) / math.sqrt(32)
    for i in range(0, 32, 5):
        bump = torch.zeros(32, dtype=torch.float64)
        bump[i] = 1e-5
        slope = (loss(u[0] + bump) - loss(u[0] - bump)) / 2e-5
        assert float(moved[0, i]) == pytest.approx(-0.5 * slope, abs=1e-6)  # latents are float32
    assert float(moved.norm()) > 0.005


def test_kernels_of_raw_latents_underflow_and_of_scaled_ones_do_not() -> None:
    """Why u = z / √d: independent latents of 16 384 numbers are √(2 d) apart."""
    z = _points(2, 16384)
    squares = float(((z[0] - z[1]) ** 2).sum())
    assert math.exp(-squares / 1.28) == 0.0
    assert math.exp(-squares / 16384 / 0.64) == pytest.approx(math.exp(-2 / 0.64), rel=0.1)


# --- prompts ------------------------------------------------------------------------------------------------------


def test_kernels_of_prompts(toy: Any) -> None:
    """1 for the own prompt and the same text; Gaussian in the features of the others; all ones for plain RKE."""
    group = _group(0, (0, 1, 2, 3))
    text = _prepared(toy())
    y = text.features.double()
    expected = torch.exp(-((y - y[0]) ** 2).sum(1) / (2 * 0.3**2)) ** 2
    assert torch.allclose(text.weights(group), expected)
    assert [float(w) for w in text.weights(group)[[0, 3]]] == [1.0, 1.0]
    assert float(text.weights(group)[1]) < 0.1
    assert Sparke(prompts=PromptKernel.ONE).weights(group).tolist() == [1.0] * 4
    assert Sparke(prompts=PromptKernel.SAME).weights(group).tolist() == [1.0, 0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="not prepared"):
        Sparke().weights(group)


def test_nothing_alike_is_nothing_done(toy: Any) -> None:
    """k_Y = 0 for all pairs; nothing finished; strength 0: the very same object."""
    x = _points(1).float().view(1, 2, 4, 4)
    assert Sparke(prompts=PromptKernel.SAME).latent(x, _step(), _group(0, (1, 2))) is x
    assert _prepared(toy(), sigma_text=1e-3).latent(x, _step(), _group(0, (1, 2))) is x
    assert Sparke(prompts=PromptKernel.ONE).latent(x, _step(), Group(7, 0, "a", 0, (0,))) is x
    assert Sparke(prompts=PromptKernel.ONE, eta=0.0).latent(x, _step(), _group()) is x
    assert Sparke(prompts=PromptKernel.ONE).latent(x, _step(), _group()) is not x


# --- in the sampler -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scheduler", "steps", "expected"), [("euler", 21, [0, 10]), ("euler", 25, [0, 10, 20])])
def test_every_tenth_step_but_the_last(
    tiny_model: Any, make_groups: Groups, scheduler: str, steps: int, expected: list[int]
) -> None:
    method = Sparke(prompts=PromptKernel.ONE, sigma_image=4.0)
    found = sample(tiny_model("sd", scheduler), method, make_groups(1, 2), seed=7, steps=steps)
    assert [row[3] for row in found.activity if row[2] == "shift"] == expected


def test_second_order_steps_are_counted_once(tiny_model: Any, make_groups: Groups) -> None:
    """Five Heun steps are nine evaluations; steps 0, 2 and 4 end with evaluations 1, 5 and 8, the last."""
    method = Sparke(prompts=PromptKernel.ONE, sigma_image=4.0, every=2)
    found = sample(tiny_model("sd", "heun"), method, make_groups(1, 2), seed=7, steps=5)
    assert [row[3] for row in found.activity if row[2] == "shift"] == [1, 5]


def test_the_first_sample_of_every_prompt_is_untouched_and_the_next_ones_are_not(toy: Any, make_groups: Groups) -> None:
    base = sample(toy(), Iid(), make_groups(3, 4), seed=7).latents.reshape(3, 4, -1)
    method = Sparke(prompts=PromptKernel.ONE, eta=0.3, sigma_image=4.0, every=2)
    found = sample(toy(), method, make_groups(3, 4), seed=7).latents.reshape(3, 4, -1)
    assert np.array_equal(found[:, 0], base[:, 0])
    assert (np.abs(found[:, 1:] - base[:, 1:]).max(2) > 1e-3).all()
    single = sample(toy(), method, make_groups(3, 1), seed=7)
    assert np.array_equal(single.latents, base[:, 0])
    assert single.activity == ()  # flagged as inert


def test_it_lowers_the_kernel_energy_of_the_latents_it_makes(toy: Any, make_groups: Groups) -> None:
    def energy(latents: Any) -> float:
        u = torch.from_numpy(latents).double() / math.sqrt(latents.shape[1])
        return float(torch.exp(-(torch.cdist(u, u) ** 2) / 0.8**2).sum())

    method = Sparke(prompts=PromptKernel.SAME, eta=0.3, every=2)
    base, found = (sample(toy(), m, make_groups(1, 8), seed=7, steps=20).latents for m in (Iid(), method))
    assert energy(found) < 0.98 * energy(base)


@pytest.mark.parametrize("kind", ["v_prediction", "sample", "flow"])
def test_every_prediction_gives_the_same_clean_estimates(toy: Any, kind: str) -> None:
    """First-order solver, same σ grid; latents are seen in one scale, so the update is the same."""

    def sequence(of: str, eta: float = 0.3) -> torch.Tensor:
        seen: list[torch.Tensor] = []
        model = toy(of)
        first = model.timetable(model.steps).steps[0]

        class Watched(Sparke):
            def initial_noise(self, noise: Any, group: Any) -> Any:
                return noise * first.b if of == "flow" else noise

            def clean_sample(self, x0: Any, step: Any, group: Any) -> Any:
                seen.append(x0.flatten(1).clone())
                return x0

        group = Group(7, 0, "a hat", 0, (0, 1, 2))
        sample(model, Watched(prompts=PromptKernel.ONE, every=2, eta=eta, sigma_image=4.0), [group], seed=7)
        return torch.stack(seen)

    reference, found = sequence("epsilon"), sequence(kind)
    assert float((reference - sequence("epsilon", 0.0)).abs().max()) > 0.02
    error = (found - reference).abs() / reference.abs().max()
    assert float(error.max()) < 1e-5
    assert float(error.mean()) < 1e-6


def test_a_cell_is_one_shard_and_the_same_whatever_a_shard_holds(toy: Any) -> None:
    task = TextToImage(prompts=PROMPTS[:3], images_per_prompt=32)
    assert len(task.shards()) == len(task.shards_of(Iid())) == 2
    method = _prepared(toy(), eta=0.3, every=2, sigma_image=4.0)
    (shard,) = task.shards_of(method)
    assert (shard.start, shard.stop) == (0, 96)
    assert method.coupling() is Couples.SEQUENCE
    runs = [
        task.run(toy(), method, 7, shard, RunContext("cpu", micro_batch, lambda _: None)) for micro_batch in (4, 32)
    ]
    assert np.array_equal(runs[0].arrays["latents"], runs[1].arrays["latents"])
    grouped = TextToImage(prompts=PROMPTS[:3], images_per_prompt=32, group_size=4)
    found = grouped.run(toy(), method, 7, shard, RunContext("cpu", 32, lambda _: None))
    assert np.array_equal(runs[0].arrays["latents"], found.arrays["latents"])
