"""Particle guidance in closed form (generation.md section 6.5), in latents and in features."""

from __future__ import annotations

import logging
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
from harness.methods.diversity.particle_guidance import ParticleGuidance, Space, force, kernel
from harness.methods.method import Group, Step
from harness.models.diffusion.loop import sample
from harness.models.diffusion.stage import LoopStage
from harness.models.feature_spaces import FeatureSpace

Groups = Callable[..., list[Group]]


def _points(count: int, dimension: int = 6, name: str = "points") -> torch.Tensor:
    return torch.stack([keys.normal((dimension,), 0, "world", name, i) for i in range(count)]).double()


@pytest.mark.parametrize("count", [3, 4, 8, 17])
def test_equidistant_particles_have_the_same_weight_one_by_n_minus_one(count: int) -> None:
    simplex = 3.0 * torch.eye(count, dtype=torch.float64)
    k, h = kernel(simplex)
    expected = (1 - torch.eye(count, dtype=torch.float64)) / (count - 1)
    assert torch.allclose(k, expected, atol=1e-15)
    assert torch.allclose(h, torch.full_like(h, 18 / math.log(count - 1)))
    centre = simplex.mean(0)
    outward = 2 * count * math.log(count - 1) / (18 * (count - 1)) * (simplex - centre)
    assert torch.allclose(force(simplex), outward, atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_identical_particles_feel_no_force_and_no_nan(count: int) -> None:
    """A known failure of the method: it cannot part what coincides."""
    x = _points(1).repeat(count, 1)
    assert torch.equal(force(x), torch.zeros_like(x))


@pytest.mark.parametrize("count", [1, 2])
def test_one_and_two_particles_feel_no_force(count: int) -> None:
    assert torch.equal(force(_points(count)), torch.zeros(count, 6, dtype=torch.float64))


def test_a_coincident_pair_among_others_gives_finite_forces() -> None:
    x = _points(5)
    x[1] = x[0]
    found = force(x)
    assert torch.isfinite(found).all()
    assert torch.allclose(found[0], found[1])
    assert float(found[2:].norm(dim=1).min()) > 0


@given(st.integers(3, 9), st.integers(0, 10**6))
def test_it_is_the_formula_written_out(count: int, salt: int) -> None:
    """Σ_j 2 k_ij (x_i - x_j) / h_i by loops over numpy rows."""
    x = _points(count, 5, f"loop {salt}").numpy()
    expected = np.zeros_like(x)
    for i in range(count):
        others = [x[j] for j in range(count) if j != i]
        d = [float(np.sqrt(((x[i] - o) ** 2).sum())) for o in others]
        h = sorted(d)[(count - 2) // 2] ** 2 / math.log(count - 1)
        for o, distance in zip(others, d, strict=True):
            expected[i] += 2 * math.exp(-(distance**2) / h) * (x[i] - o) / h
    assert np.allclose(force(torch.from_numpy(x)).numpy(), expected, atol=1e-12)


def test_it_is_the_gradient_of_the_kernels_with_fixed_bandwidth() -> None:
    x = _points(6)
    _, h = kernel(x)
    with torch.enable_grad():
        z = x.clone().requires_grad_()
        repulsion = -sum(torch.exp(-((z[i] - x[j]) ** 2).sum() / h[i]) for i in range(6) for j in range(6) if i != j)
        (gradient,) = torch.autograd.grad(repulsion, z)  # type: ignore[arg-type]
    assert torch.allclose(force(x), gradient, atol=1e-12)


@given(st.permutations(range(7)), st.floats(0.01, 100))
def test_permuting_permutes_and_scaling_divides(order: list[int], scale: float) -> None:
    """F(c x) = F(x) / c: VE- and VP-scaled latents give the same ε'."""
    x = _points(7)
    assert float((force(x[order]) - force(x)[order]).abs().max()) <= 1e-12
    assert torch.allclose(force(scale * x), force(x) / scale, rtol=1e-9, atol=0)
    assert torch.allclose(force(x + 100), force(x), atol=1e-10)


@pytest.mark.parametrize(("count", "share"), [(3, 0.0016), (4, 0.0023), (8, 0.0038)])
def test_the_published_strength_is_tiny_in_large_latents(count: int, share: float) -> None:
    """30 ‖F‖ / ‖ε‖ on standard normal latents of 16 384 numbers at σ = 1: the table of section 6.5, two digits."""
    x = _points(count, 16384, "latents")
    noise = _points(count, 16384, "noise")
    found = 30 * force(x).norm(dim=1).mean() / noise.norm(dim=1).mean()
    assert float(found) == pytest.approx(share, abs=5e-5)


def test_pair_distances_grow() -> None:
    x = _points(6, 40)
    moved = x + 0.5 * force(x)
    assert float((torch.pdist(moved) - torch.pdist(x)).min()) > 0


# --- in the sampler -----------------------------------------------------------------------------------------------


def _step(sigma: float, index: int = 0) -> Step:
    a = (1 + sigma * sigma) ** -0.5
    return Step(index, 10, 900.0, 0.9, a, sigma * a)


def _group(count: int) -> Group:
    return Group(7, 0, "hat", 0, tuple(range(count)))


def test_it_is_off_at_low_noise_and_at_the_last_step() -> None:
    latents, features = ParticleGuidance(), ParticleGuidance(space=Space.FEATURES, extractor="avatars")
    assert [latents.strength(_step(s), _group(4)) for s in (0.99, 1.0001, 50.0)] == [0.0, 30.0, 30.0]
    assert [features.strength(_step(s), _group(4)) for s in (3.0 - 1e-9, 3.001)] == [0.0, 8.0]
    assert latents.strength(_step(5.0, index=9), _group(4)) == 0.0
    assert latents.strength(Step(0, 10, 999.0, 1.0, 0.0, 1.0), _group(4)) == 0.0  # zero terminal signal
    assert ParticleGuidance(power=2.0).strength(_step(3.0), _group(4)) == pytest.approx(270.0)


@pytest.mark.parametrize("count", [1, 2])
def test_a_group_that_is_too_small_is_untouched_and_said_once(
    toy: Any, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    base = sample(toy(), Iid(), [_group(count)], seed=7)
    with caplog.at_level(logging.WARNING):
        found = sample(toy(), ParticleGuidance(), [_group(count)], seed=7)
    assert np.array_equal(found.latents, base.latents)
    assert found.activity == ()
    assert [r.getMessage() for r in caplog.records] == [
        f"particle_guidance: a group of {count} feels no force; it takes 3 samples of a prompt"
    ]


def test_samples_of_a_group_end_further_apart(toy: Any) -> None:
    base, found = (sample(toy(), m, [_group(6)], seed=7, steps=20) for m in (Iid(), ParticleGuidance()))
    apart = [float(torch.pdist(torch.from_numpy(s.latents)).mean()) for s in (base, found)]
    assert apart[1] > 1.02 * apart[0]
    steps = [row[3] for row in found.activity if row[2] == "force"]
    active = sum(s.sigma >= 1 for s in toy().timetable(20).steps)
    assert steps == list(range(active))


def _linear(device: str) -> Callable[[torch.Tensor], torch.Tensor]:
    weight = keys.normal((48, 5), 0, "world", "projection")
    return lambda images: images.flatten(1) @ weight


SPACES = {"linear": lambda: FeatureSpace("linear", "", _linear)}


def _in_features(model: Any, **changes: Any) -> ParticleGuidance:
    stage = LoopStage(model, ("hat",), lambda _: None, spaces=SPACES)  # type: ignore[arg-type, return-value]
    return ParticleGuidance(space=Space.FEATURES, extractor="linear", **changes).prepare(stage)


VARIANTS: dict[str, Callable[[Any], ParticleGuidance]] = {
    "constant": lambda _: ParticleGuidance(),
    "squared": lambda _: ParticleGuidance(coefficient=1.0, power=2.0),
    "none": lambda _: ParticleGuidance(coefficient=0.0),
    "features": lambda model: _in_features(model, coefficient=0.01),
}


def _sequence(toy: Any, kind: str, variant: str) -> torch.Tensor:
    """(T, B, D) clean estimates before the method's own correction; flow starts from the same point as Euler.

    Data of spread 4, so that clean estimates at σ = 14 differ by more than the rounding of x - b ε.
    """
    seen: list[torch.Tensor] = []
    model = toy(kind, spread=4.0)
    first = model.timetable(model.steps).steps[0]

    class Watched(ParticleGuidance):
        def initial_noise(self, noise: Any, group: Any) -> Any:
            return noise * first.b if kind == "flow" else noise

        def clean_sample(self, x0: Any, step: Any, group: Any) -> Any:
            seen.append(x0.flatten(1).clone())
            return super().clean_sample(x0, step, group)

    made = VARIANTS[variant](model)
    watched = Watched(**{f: getattr(made, f) for f in made.__dataclass_fields__})
    sample(model, watched, [_group(4)], seed=7)
    return torch.stack(seen)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", ["v_prediction", "sample", "flow"])
def test_every_prediction_gives_the_same_clean_estimates(toy: Any, kind: str, variant: str) -> None:
    """First-order solver, same σ grid: schedulers in float32 allow 1e-5 of the scale, 1e-6 in the mean."""
    reference, found = _sequence(toy, "epsilon", variant), _sequence(toy, kind, variant)
    assert variant == "none" or float((reference - _sequence(toy, "epsilon", "none")).abs().max()) > 0.02
    error = (found - reference).abs() / reference.abs().max()
    assert float(error.max()) < 1e-5
    assert float(error.mean()) < 1e-6


def test_the_correction_of_noise_predictions_is_b_times_the_force(toy: Any) -> None:
    """ε' = ε - σ c F(x/a) in VE-scaled latents, as the authors' code has it."""
    z, step = _points(4, 32).float().view(4, 2, 4, 4), _step(2.0)
    g = ParticleGuidance().score(z, step, _group(4))
    assert g is not None
    assert torch.allclose(step.b * g, step.sigma * 30 * force((z / step.a).flatten(1)).float().view_as(z), rtol=1e-5)


# --- features -----------------------------------------------------------------------------------------------------


def test_the_shift_is_sigma_squared_times_the_pulled_back_force(toy: Any) -> None:
    model, z, step = toy(), _points(4, 32).float().view(4, 2, 4, 4), _step(4.0)
    method = _in_features(model)
    weight = keys.normal((48, 5), 0, "world", "projection").double()

    def features(at: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(torch.cat([at, at[:, :1]], 1)).flatten(1) @ weight

    v = force(features(z.double()))
    shift = (method.clean_sample(z, step, _group(4)) - z) / (16 * 8)
    for i in [(0, 0, 0, 0), (1, 1, 2, 3), (3, 0, 3, 1)]:
        bump = torch.zeros_like(z, dtype=torch.float64)
        bump[i] = 1e-4
        difference = (((features(z.double() + bump) - features(z.double() - bump)) / 2e-4) * v).sum()
        assert float(shift[i]) == pytest.approx(float(difference), rel=1e-3, abs=1e-5)


def test_features_move_apart_and_cost_what_is_counted(toy: Any) -> None:
    model = toy()
    method = _in_features(model, coefficient=0.02)
    active = sum(s.sigma > 3 for s in model.timetable(20).steps)
    base, found = (sample(model, m, [_group(6)], seed=7, steps=20) for m in (Iid(), method))
    assert active > 2
    assert found.calls["gradient"] == found.calls["extractor"] == 6 * active
    assert found.calls["decoder"] == 6 * active + 6
    ends = [method.network(torch.from_numpy(s.latents).view(6, 2, 4, 4)) for s in (base, found)]
    assert float(torch.pdist(ends[1]).mean()) > float(torch.pdist(ends[0]).mean())


@pytest.mark.parametrize("params", [{"coefficient": 0.0}, {"sigma_min": 1e9}])
def test_features_without_strength_are_never_computed(toy: Any, params: dict[str, float]) -> None:
    model = toy()
    base, found = (sample(model, m, [_group(4)], seed=7) for m in (Iid(), _in_features(model, **params)))
    assert np.array_equal(base.latents, found.latents)
    assert found.calls["decoder"] == 4
    assert "gradient" not in found.calls


def test_a_batch_split_of_the_decoder_changes_no_draw_and_values_by_rounding_only(toy: Any) -> None:
    runs = []
    for micro_batch in (2, 8):
        stage = LoopStage(toy(), ("hat",), lambda _: None, micro_batch, spaces=SPACES)  # type: ignore[arg-type, return-value]
        method = ParticleGuidance(space=Space.FEATURES, extractor="linear", coefficient=0.01).prepare(stage)
        runs.append(sample(toy(), method, [_group(4)], seed=7, micro_batch=micro_batch))
    assert runs[0].digests["noise"] == runs[1].digests["noise"]
    assert np.allclose(runs[0].latents, runs[1].latents, atol=1e-4)
    assert runs[0].calls["gradient"] == runs[1].calls["gradient"]


def test_wrong_settings_are_refused(toy: Any) -> None:
    for params in ({"extractor": "avatars"}, {"space": Space.FEATURES}):
        with pytest.raises(ValueError, match="give both or neither"):
            ParticleGuidance(**params)
    with pytest.raises(ValueError, match="not prepared"):
        ParticleGuidance(space=Space.FEATURES, extractor="linear").clean_sample(
            torch.zeros(4, 2, 4, 4), _step(4.0), _group(4)
        )
