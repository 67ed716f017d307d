"""The table of generation.md section 0.2, in closed form."""

from __future__ import annotations

import pytest
import torch

from harness import keys
from harness.models.diffusion.prediction import Prediction, clean, noise, shift_clean, shift_score

SCALES = {
    Prediction.EPSILON: (0.6, 0.8),
    Prediction.VELOCITY: (0.6, 0.8),
    Prediction.CLEAN: (1.0, 2.5),
    Prediction.FLOW: (0.3, 0.7),
}


def _case(kind: Prediction) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, float, float]:
    """x0, ε, x, the network's output, a, b."""
    a, b = SCALES[kind]
    x0, eps = (keys.normal((3, 2, 4, 4), 0, "world", i).double() for i in range(2))
    output = {
        Prediction.EPSILON: eps,
        Prediction.VELOCITY: a * eps - b * x0,
        Prediction.CLEAN: x0,
        Prediction.FLOW: eps - x0,
    }[kind]
    return x0, eps, a * x0 + b * eps, output, a, b


@pytest.mark.parametrize("kind", list(Prediction))
def test_the_parts_of_a_noisy_sample_are_recovered(kind: Prediction) -> None:
    x0, eps, x, output, a, b = _case(kind)
    assert torch.allclose(clean(kind, output, x, a, b), x0, atol=1e-12)
    assert torch.allclose(noise(kind, output, x, a, b), eps, atol=1e-12)


@pytest.mark.parametrize("kind", list(Prediction))
def test_a_wanted_change_of_the_clean_sample_is_what_changes(kind: Prediction) -> None:
    x0, _, x, output, a, b = _case(kind)
    delta = keys.normal((3, 2, 4, 4), 0, "world", "delta").double()
    moved = shift_clean(kind, output, delta, a, b)
    assert torch.allclose(clean(kind, moved, x, a, b), x0 + delta, atol=1e-12)


@pytest.mark.parametrize("kind", list(Prediction))
def test_a_score_increment_changes_the_score_by_itself(kind: Prediction) -> None:
    """score = (a x0 - x) / b², of every prediction."""
    _, _, x, output, a, b = _case(kind)
    g = keys.normal((3, 2, 4, 4), 0, "world", "g").double()
    before, after = ((a * clean(kind, o, x, a, b) - x) / b**2 for o in (output, shift_score(kind, output, g, a, b)))
    assert torch.allclose(after - before, g, atol=1e-12)


@pytest.mark.parametrize("kind", list(Prediction))
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_no_change_leaves_the_output_bit_for_bit(kind: Prediction, dtype: torch.dtype) -> None:
    output = _case(kind)[3].to(dtype)
    a, b = SCALES[kind]
    moved = shift_clean(kind, output.float(), torch.zeros_like(output).float(), a, b).to(dtype)
    assert torch.equal(moved, output)


def test_what_cannot_be_known_is_refused() -> None:
    z = torch.zeros(1)
    with pytest.raises(ValueError, match="zero signal"):
        clean(Prediction.EPSILON, z, z, 0.0, 1.0)
    with pytest.raises(ValueError, match="zero noise"):
        noise(Prediction.CLEAN, z, z, 1.0, 0.0)
