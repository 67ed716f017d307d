"""One analytic Gaussian denoiser, wrapped as each kind of prediction, gives one sequence of clean estimates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from harness.methods.method import Group
from harness.models.diffusion.loop import sample

KINDS = ("epsilon", "v_prediction", "sample", "flow")


def _sequence(toy: Any, recorder: Callable[..., Any], kind: str, **change: float) -> torch.Tensor:
    """(T, B, D) clean estimates. Euler starts at σ z and flow at z, so z is scaled to the same point σ z = x / a."""
    model = toy(kind)
    first = model.timetable(model.steps).steps[0]
    method = recorder(scale=(lambda _: first.b) if kind == "flow" else (lambda _: 1.0), **change)
    group = Group(5, 0, "a hat", 0, (0, 1, 2))
    sample(model, method, [group], seed=5, micro_batch=8)
    return torch.stack([x.flatten(1) for x in method.seen])


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("change", [{}, {"delta": 0.3}, {"pull": 0.05}], ids=["untouched", "clean", "score"])
def test_every_prediction_gives_the_same_clean_estimates(
    toy: Any, recorder: Callable[..., Any], kind: str, change: dict[str, float]
) -> None:
    """First-order solver, same σ grid; schedulers in float32 allow 1e-5 of the scale, 1e-6 in the mean."""
    reference, found = (_sequence(toy, recorder, k, **change) for k in ("epsilon", kind))
    assert found.shape == reference.shape
    error = (found - reference).abs() / reference.abs().max()
    assert float(error.max()) < 1e-5
    assert float(error.mean()) < 1e-6


@pytest.mark.parametrize("change", [{"delta": 0.3}, {"pull": 0.05}], ids=["clean", "score"])
def test_a_correction_changes_the_sequence(toy: Any, recorder: Callable[..., Any], change: dict[str, float]) -> None:
    plain, changed = _sequence(toy, recorder, "epsilon"), _sequence(toy, recorder, "epsilon", **change)
    assert torch.equal(plain[0], changed[0])
    assert float((plain[-1] - changed[-1]).abs().max()) > 0.01


def test_ddim_and_euler_are_the_same_first_order_solver(toy: Any, recorder: Callable[..., Any]) -> None:
    """DDIM (η = 0) is Euler in x/a; it starts at z where Euler starts at σ z, so its noise is scaled by b."""
    euler, ddim = toy("epsilon"), toy("epsilon", scheduler="DDIMScheduler")
    first = euler.timetable(5).steps[0]
    runs = []
    for model, scale in ((euler, 1.0), (ddim, first.b)):
        method = recorder(scale=lambda _, s=scale: s, delta=0.2)
        sample(model, method, [Group(5, 0, "a hat", 0, (0, 1))], seed=5)
        runs.append(torch.stack([x.flatten(1) for x in method.seen]))
    assert float((runs[0] - runs[1]).abs().max()) < 1e-5 * float(runs[0].abs().max())


@pytest.mark.parametrize("kind", KINDS)
def test_methods_see_variance_preserving_scales(toy: Any, recorder: Callable[..., Any], kind: str) -> None:
    method = recorder()
    sample(toy(kind), method, [Group(5, 0, "a hat", 0, (0,))], seed=5)
    for step in method.steps:
        assert (step.a + step.b if kind == "flow" else step.a**2 + step.b**2) == pytest.approx(1.0, abs=1e-5)
    times = [s.time for s in method.steps]
    assert times == sorted(times, reverse=True)
    assert 0.9 < times[0] <= 1.0
