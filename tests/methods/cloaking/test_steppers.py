"""Adam and Adadelta against torch.optim."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from harness import keys
from harness.methods.cloaking.steppers import Adadelta, Adam


@pytest.mark.parametrize("name", ["adam", "adadelta"])
def test_steps_are_those_of_torch(name: str) -> None:
    gradients = [keys.normal((3, 4), 0, "world", "gradient", i).double() for i in range(8)]
    z = torch.zeros(3, 4, dtype=torch.float64, requires_grad=True)
    reference: Any
    ours: Adam | Adadelta
    if name == "adam":
        reference, ours = torch.optim.Adam([z], lr=0.3), Adam(0.3)
    else:
        reference, ours = torch.optim.Adadelta([z], lr=20.0, rho=0.95, eps=1e-7), Adadelta(20.0)
    x = torch.zeros(3, 4, dtype=torch.float64)
    for gradient in gradients:
        z.grad = gradient.clone()
        reference.step()
        x = ours.stepped(x, gradient)
    assert torch.allclose(x, z.detach(), atol=1e-12)


def test_no_gradient_is_no_step() -> None:
    x = torch.ones(2)
    for ours in (Adam(0.3), Adadelta(20.0)):
        assert torch.equal(ours.stepped(x, torch.zeros(2)), x)
