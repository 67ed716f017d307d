"""Interval guidance in closed form, down to the number of network calls (generation.md section 6.4)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from harness.methods.baseline import load_baseline
from harness.methods.diversity.iid import Iid
from harness.methods.diversity.interval_guidance import Gate, IntervalGuidance
from harness.methods.method import Group, Step
from harness.models.diffusion.loop import sample
from harness.models.diffusion.timetable import Scaling, from_set

Groups = Callable[..., list[Group]]
GROUP = Group(0, 0, "hat", 0, (0,))


def _at(sigma: float, **changes: Any) -> Step:
    a = (1 + sigma * sigma) ** -0.5
    return Step(3, 9, 500.0, 0.5, a, sigma * a, **changes)


@pytest.mark.parametrize(("sigma", "inside"), [(0.28, False), (0.2801, True), (1.0, True), (1.6, True), (1.63, False)])
def test_the_interval_is_open_below_and_closed_above(sigma: float, inside: bool) -> None:
    method = IntervalGuidance(w=2.0)
    assert method.inside(sigma) == inside
    assert method.guidance(7.5, _at(sigma), GROUP) == (2.0 if inside else 1.0)
    assert IntervalGuidance(lo=0.5, hi=sigma).inside(sigma) == (sigma > 0.5)
    assert not IntervalGuidance(lo=sigma, hi=9.0).inside(sigma)


def test_without_a_weight_the_models_own_holds_inside() -> None:
    assert IntervalGuidance().guidance(7.5, _at(1.0), GROUP) == 7.5
    assert IntervalGuidance().guidance(7.5, _at(9.0), GROUP) == 1.0


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
def test_a_full_interval_is_plain_guidance_and_an_empty_one_the_conditional_model(
    kind: str, toy: Any, make_groups: Groups
) -> None:
    plain, conditional = (sample(toy(kind), Iid(), make_groups(), seed=7, guidance=w) for w in (3.0, 1.0))
    full = sample(toy(kind), IntervalGuidance(lo=0.0, hi=None), make_groups(), seed=7, guidance=3.0)
    assert np.array_equal(full.latents, plain.latents)
    assert full.calls == plain.calls
    for method in (IntervalGuidance(lo=2.0, hi=2.0), IntervalGuidance(lo=5.0, hi=1.0), IntervalGuidance(w=1.0)):
        found = sample(toy(kind), method, make_groups(), seed=7, guidance=3.0)
        assert np.array_equal(found.latents, conditional.latents)
        assert found.calls["unconditional"] == 0
        assert found.calls["conditional"] == conditional.calls["conditional"]
    assert not np.array_equal(plain.latents, conditional.latents)


def test_outside_is_not_the_unconditional_model(toy: Any, make_groups: Groups) -> None:
    outside = sample(toy(), IntervalGuidance(lo=5.0, hi=1.0), make_groups(), seed=7)
    unconditional = sample(toy(), Iid(), make_groups(), seed=7, guidance=0.0)
    assert not np.allclose(outside.latents, unconditional.latents, atol=0.1)


def test_calls_outside_are_saved_under_a_first_order_solver(toy: Any, make_groups: Groups) -> None:
    model = toy()
    method = IntervalGuidance(lo=0.5, hi=5.0)
    inside = sum(method.inside(s.sigma) for s in model.timetable(20).steps)
    found = sample(model, method, make_groups(2, 4), seed=7, steps=20)
    assert 0 < inside < 20
    assert found.calls["unconditional"] == 8 * inside
    assert found.calls["conditional"] == 8 * 20
    changed = [row for row in found.activity if row[2] == "guidance.changed"]
    assert len(changed) == 2 * (20 - inside)


# --- EDM2: 32 Heun steps, σ 80 → .002, ρ 7 ------------------------------------------------------------------------


def _edm_sigmas() -> np.ndarray[Any, np.dtype[np.float64]]:
    ramp = np.arange(32) / 31
    return (80 ** (1 / 7) + ramp * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7


def test_the_presets_bounds_are_steps_17_to_22_of_the_authors_grid() -> None:
    sigmas = _edm_sigmas()
    assert sigmas[17] == pytest.approx(1.609, abs=5e-4)
    assert sigmas[22] == pytest.approx(0.283, abs=5e-4)
    assert sigmas[23] == pytest.approx(0.189, abs=5e-4)
    assert sigmas[16] == pytest.approx(2.174, abs=5e-4)
    method = IntervalGuidance(**load_baseline("interval_guidance@edm2-xxl").params)
    assert [i for i, s in enumerate(sigmas) if method.inside(s)] == list(range(17, 23))


@pytest.mark.parametrize(("preset", "first"), [("edm2-xxl", 34), ("per-evaluation", 33)])
def test_both_stages_of_a_guided_step_are_guided_and_no_other(toy: Any, preset: str, first: int) -> None:
    """12 unconditional and 63 conditional calls an item, from the first stage of step 17 to the second of step 22.

    The second stage of step 16 is made at σ_17, that of step 22 at σ_23: gated by evaluation, all 12 are one earlier.
    """

    class Edm(toy):  # type: ignore[misc]
        def timetable(self, steps: int) -> Any:
            import diffusers

            scheduler = diffusers.HeunDiscreteScheduler()
            scheduler.set_timesteps(32)
            sigmas = torch.from_numpy(_edm_sigmas()).float()
            scheduler.sigmas = torch.cat([sigmas[:1], sigmas[1:].repeat_interleave(2), torch.zeros(1)])
            times = 999 * (1 - torch.arange(32) / 32)
            scheduler.timesteps = torch.cat([times[:1], times[1:].repeat_interleave(2)])
            table = from_set(scheduler, Scaling.VARIANCE_EXPLODING)
            self.scales = {round(float(t), 3): (s.a, s.b) for t, s in zip(table.timesteps, table.steps, strict=True)}
            return table

    method = IntervalGuidance(**load_baseline(f"interval_guidance@{preset}").params)
    found = sample(Edm(), method, [Group(7, 0, "hat", 0, (0, 1))], seed=7, micro_batch=2, guidance=2.0)
    assert found.calls["conditional"] == 2 * 63
    assert found.calls["unconditional"] == 2 * 12
    unguided = {row[3] for row in found.activity if row[2] == "guidance.changed"}
    guided = [s.index for s in Edm().timetable(32).steps if method.guidance(9.0, s, GROUP) == 2.0]
    assert guided == list(range(first, first + 12))
    assert unguided == set(range(63)) - set(guided)


def test_the_second_stage_follows_the_step_it_belongs_to() -> None:
    entering, leaving = _at(1.6, stage=1, start=2.2), _at(0.2, stage=1, start=0.3)
    assert [IntervalGuidance(w=2.0).guidance(3.0, s, GROUP) for s in (entering, leaving)] == [1.0, 2.0]
    each = IntervalGuidance(w=2.0, gate=Gate.EVALUATION)
    assert [each.guidance(3.0, s, GROUP) for s in (entering, leaving)] == [2.0, 1.0]


def test_heun_steps_know_where_they_start(tiny_model: Any) -> None:
    steps = tiny_model("sd", "heun").timetable(4).steps
    assert [s.stage for s in steps] == [0, 1, 0, 1, 0, 1, 0]
    for before, step in pairwise(steps):
        assert step.starting_sigma == (before.sigma if step.stage else step.sigma)
    assert steps[1].starting_sigma > steps[1].sigma
