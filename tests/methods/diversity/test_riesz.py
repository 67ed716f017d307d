"""Riesz noise: its fixed point, its gradient, what blur does to the spectrum (generation.md section 3)."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from harness import keys
from harness.methods.diversity.norm_matched_noise import NormMatchedRiesz
from harness.methods.diversity.riesz import Riesz
from harness.methods.diversity.spread import block_mean
from harness.methods.method import Group
from harness.options import build

SHAPE = (4, 8, 8)


def _noise(count: int, seed: int = 3) -> torch.Tensor:
    return torch.stack([keys.normal(SHAPE, seed, "init_noise", 0, i) for i in range(count)])


def _pushed(noise: torch.Tensor, **options: Any) -> torch.Tensor:
    group = Group(3, 0, "hat", 0, tuple(range(len(noise))))
    return build(Riesz, options).initial_noise(noise, group)


def _unit(z: torch.Tensor) -> torch.Tensor:
    flat = z.flatten(1).double()
    return flat / flat.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("r", [0.3, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("count", [2, 3, 8])
def test_the_end_is_a_regular_simplex_whatever_the_exponent(r: float, count: int) -> None:
    """Float32 results: cosines to 1e-6. At r = 5 a push is 2^-3 of one at r = 0; the published step ends there too."""
    x = _unit(_pushed(_noise(count), exponent=r))
    cosine = (x @ x.T)[~torch.eye(count, dtype=torch.bool)]
    assert torch.allclose(cosine, torch.full_like(cosine, -1 / (count - 1)), atol=1e-6)


@pytest.mark.parametrize("smooth", ["nothing", "points"])
def test_the_force_is_the_descent_of_the_energy(smooth: str) -> None:
    """F is -∇E/(2r) without blur (E counts ordered pairs); along it the energy of blurred points falls too."""
    method = build(Riesz, {"exponent": 1.5, "smooth": smooth, "blur": 0.8})
    x = _unit(_noise(4)).view(4, *SHAPE).clone().requires_grad_(True)
    if smooth == "nothing":
        flat = x.flatten(1)
        apart = (flat[:, None] - flat[None] + torch.eye(4, dtype=torch.float64)[..., None]).norm(dim=2)
        energy = (apart**-1.5)[~torch.eye(4, dtype=torch.bool)].sum()
        assert energy.item() == pytest.approx(method.energy(x.detach()), rel=1e-12)
        (slope,) = torch.autograd.grad(energy, x)
        assert torch.allclose(method.force(x.detach()), -slope / 3.0, atol=1e-12)
    x = x.detach()
    assert method.energy(x + 1e-4 * method.force(x)) < method.energy(x)


def test_two_points_by_hand() -> None:
    """Unit points at a right angle: distance √2, force (x - y) 2^-(r+2)/2, one step of s then the sphere."""
    noise = torch.zeros(2, 1, 1, 2)
    noise[0, 0, 0, 0], noise[1, 0, 0, 1] = 3.0, 2.0
    r, s = 2.0, 4.0
    moved = _pushed(noise, exponent=r, step=s, iterations=1)
    f = s * 2.0 ** (-(r + 2) / 2)
    first = torch.tensor([1 + f, -f]) / ((1 + f) ** 2 + f**2) ** 0.5
    assert torch.allclose(moved[0].flatten(), 3.0 * first, atol=1e-6)
    assert torch.allclose(moved[1].flatten(), 2.0 * first.flip(0), atol=1e-6)


@pytest.mark.parametrize("options", [{"iterations": 0}, {"step": 0.0}])
def test_without_a_step_nothing_moves(options: dict[str, Any]) -> None:
    noise = _noise(3)
    assert _pushed(noise, **options) is noise
    assert _pushed(noise[:1]).equal(noise[:1])


@pytest.mark.parametrize("smooth", ["nothing", "points", "forces"])
def test_every_norm_is_kept(smooth: str) -> None:
    noise = _noise(5)
    moved = _pushed(noise, smooth=smooth, blur=2.0)
    assert torch.allclose(moved.flatten(1).norm(dim=1), noise.flatten(1).norm(dim=1), rtol=1e-6)


def test_blur_turns_noise_into_low_frequencies_and_no_blur_does_not() -> None:
    noise = _noise(5)
    share = lambda z: float((block_mean(z, 4).flatten(1).norm(dim=1) / z.flatten(1).norm(dim=1)).mean())  # noqa: E731
    assert share(_pushed(noise)) == pytest.approx(share(noise), rel=0.1)
    assert share(_pushed(noise, smooth="forces", blur=2.0)) > 2 * share(noise)
    assert share(_pushed(noise, smooth="points", blur=2.0)) > 2 * share(noise)


def test_coincident_points_stay_finite_and_do_not_push_each_other() -> None:
    noise = _noise(3)
    noise[1] = noise[0]
    moved = _pushed(noise, iterations=5)
    assert bool(moved.isfinite().all())
    assert torch.allclose(moved[0], moved[1], atol=1e-5)


def test_the_iterations_are_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published code reads 100 as centiseconds: a faster machine takes more steps."""
    calls: list[int] = []
    real = Riesz.force
    monkeypatch.setattr(Riesz, "force", lambda self, x: (calls.append(1), real(self, x))[1])
    _pushed(_noise(3), iterations=17)
    assert len(calls) == 17


def test_the_control_differs_in_spectrum_only() -> None:
    noise, group = _noise(4), Group(3, 0, "hat", 0, (0, 1, 2, 3))
    options = {"smooth": "forces", "blur": 2.0}
    target = build(Riesz, options).initial_noise(noise, group)
    control = build(NormMatchedRiesz, {**options, "pool": 4}).initial_noise(noise, group)
    for part in (lambda z: z, lambda z: block_mean(z, 4)):
        sizes = [part(z.double()).flatten(1).norm(dim=1) for z in (control, target)]
        assert torch.allclose(*sizes, rtol=1e-5)
    whole = build(NormMatchedRiesz, {**options, "match": "norm"}).initial_noise(noise, group)
    assert torch.allclose(whole, noise, atol=1e-5)
