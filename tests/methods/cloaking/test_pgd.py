"""PGD and its ball: face_privacy.md section 2, the table of closed forms."""

from __future__ import annotations

import pytest
import torch
from cloak_toys import ToyTools, eight_bits, linear, photos, picture, tools

from harness.methods.cloaking.ensemble import Goal
from harness.methods.cloaking.pgd import Ball, Pgd


@pytest.mark.parametrize("eps", [4.0, 8.0, 16.0])
@pytest.mark.parametrize("goal", list(Goal))
def test_the_budget_holds_in_float_and_after_eight_bits(eps: float, goal: Goal) -> None:
    clean = photos()
    made = Pgd("cnn+linear", goal, eps).transform(clean, tools(impersonated=picture("t")), 0)
    assert (made - clean.pixels).abs().max() <= eps / 255 + 1e-6  # float32
    moved = eight_bits(made).int() - eight_bits(clean.pixels).int()
    assert moved.abs().max() <= eps  # eps and pictures are whole levels
    assert (moved.abs() == eps).any()
    assert 0 <= made.min() <= made.max() <= 1


def test_one_targeted_step_on_a_linear_embedder_goes_along_the_sign_of_its_gradient() -> None:
    """Loss ‖W x' - W t‖²: the step is eps sign(Wᵀ(W t - W x))."""
    net, target, clean = linear(unit=False), picture("t"), photos(2)
    toy = ToyTools({"raw": net}, impersonated=target)
    method = Pgd("raw", Goal.IMPERSONATE, eps=4.0, steps=1, step=4.0, start=0.0)
    moved = method.transform(clean, toy, 0) - clean.pixels
    w = net.w  # type: ignore[attr-defined]
    towards = (w.T @ w @ (target - clean.pixels).flatten(1).T).T.reshape(moved.shape)
    inside = (clean.pixels > 4 / 255) & (clean.pixels < 251 / 255) & (towards.abs() > 1e-3)
    assert inside.float().mean() > 0.9
    assert torch.equal(moved.sign()[inside], towards.sign()[inside])
    assert torch.allclose(moved[inside].abs(), torch.tensor(4 / 255), atol=1e-6)


def test_dodging_from_the_photo_itself_has_no_gradient_which_is_why_the_start_is_random() -> None:
    clean, toy = photos(), tools()
    still = Pgd("linear", start=0.0).transform(clean, toy, 0)
    assert (still - clean.pixels).abs().mean() < 0.5 * 8 / 255  # signs of roundings at best
    cosines = (toy.nets["linear"](Pgd("linear").transform(clean, toy, 0)) * toy.nets["linear"](clean.pixels)).sum(1)
    assert (cosines < 0.5).all()


def test_both_goals_are_reached_on_their_surrogate() -> None:
    clean, toy = photos(), tools(impersonated=picture("t"))
    wanted = toy.nets["cnn"](picture("t")[None])
    before = (toy.nets["cnn"](clean.pixels) * wanted).sum(1)
    made = Pgd("cnn", Goal.IMPERSONATE, eps=16.0).transform(clean, toy, 0)
    assert ((toy.nets["cnn"](made) * wanted).sum(1) > before + 0.5 * (1 - before)).all()
    away = Pgd("cnn", eps=16.0).transform(clean, toy, 0)
    assert ((toy.nets["cnn"](away) * toy.nets["cnn"](clean.pixels)).sum(1) < 0.9).all()


def test_a_photo_without_a_target_cannot_be_taken_for_anybody() -> None:
    with pytest.raises(ValueError, match="photo person0/0 has no target"):
        Pgd("cnn", Goal.IMPERSONATE).transform(photos(), tools(), 0)


def test_gradients_are_charged_for_photos_not_for_the_filling_of_a_block() -> None:
    toy = tools()
    Pgd("cnn+linear", steps=7).transform(photos(3), toy, 0)
    assert toy.charged == {"gradient": 7 * 2 * 3}
    Pgd("cnn", eps=0.0, steps=7).transform(photos(3), toy, 0)
    assert toy.charged == {"gradient": 7 * 2 * 3}


def test_the_ball_ends_where_pictures_end() -> None:
    x = torch.tensor([[0.0, 0.5, 1.0]])
    ball = Ball.around(x, 0.1)
    assert torch.allclose(ball.nearest(x - 1), torch.tensor([[0.0, 0.4, 0.9]]))
    assert torch.allclose(ball.nearest(x + 1), torch.tensor([[0.1, 0.6, 1.0]]))
