"""Momentum, diverse inputs, translations: each can be switched off, and closed forms of each."""

from __future__ import annotations

import pytest
import torch
from cloak_toys import ToyTools, linear, photos, picture, tools

from harness.methods.cloaking.ensemble import Goal
from harness.methods.cloaking.mi_di_ti import MiDiTi, gathered, translated
from harness.methods.cloaking.pgd import Pgd
from harness.models.kernels import gaussian

OFF = {"momentum": 0.0, "diversity": 0.0, "kernel": 1}


def test_without_its_three_helps_it_is_pgd() -> None:
    clean, toy = photos(), tools(impersonated=picture("t"))
    for goal, start in ((Goal.IMPERSONATE, 0.0), (Goal.DODGE, 0.0)):
        ours = MiDiTi("cnn", goal, 8.0, 6, start=start, **OFF).transform(clean, toy, 0)  # type: ignore[arg-type]
        assert torch.equal(ours, Pgd("cnn", goal, 8.0, 6, start=start).transform(clean, toy, 0))


@pytest.mark.parametrize("help_", [{"momentum": 1.0}, {"diversity": 1.0, "least": 0.7}, {"kernel": 5}])
def test_each_help_alone_changes_the_cloak(help_: dict[str, float]) -> None:
    clean, toy = photos(), tools(impersonated=picture("t"))
    params = {"surrogates": "cnn+linear", "goal": Goal.IMPERSONATE, "steps": 6, "start": 0.0}
    off = MiDiTi(**params, **OFF).transform(clean, toy, 0)  # type: ignore[arg-type]
    on = MiDiTi(**params, **{**OFF, **help_}).transform(clean, toy, 0)  # type: ignore[arg-type]
    assert (off != on).flatten(1).any(1).all()


def test_momentum_gathers_gradients_of_length_one() -> None:
    first, second = (torch.full((1, 3, 2, 2), v) for v in (4.0, -0.01))
    g = gathered(torch.zeros(1, 3, 2, 2), first, 0.5)
    assert torch.allclose(g, torch.full_like(g, 1 / 12))
    assert torch.allclose(gathered(g, second, 0.5), torch.full_like(g, 0.5 / 12 - 1 / 12))
    assert torch.equal(gathered(g, torch.zeros_like(g), 1.0), g)


def test_momentum_carries_over_a_change_of_sign() -> None:
    """A small gradient counts as much as a large one: after one up, one down and mu 1 nothing is left."""
    up = torch.ones(1, 3, 2, 2)
    assert gathered(gathered(torch.zeros_like(up), up, 1.0), -1e-3 * up, 1.0).abs().max() < 1e-7


def test_translations_smooth_a_gradient_by_a_gaussian_whose_edge_is_at_three_sigma() -> None:
    point = torch.zeros(1, 3, 9, 9)
    point[0, 0, 4, 4] = 1.0
    weights = torch.tensor(gaussian(5, 2 / 3))
    assert torch.allclose(translated(point, 5)[0, 0, 2:7, 2:7], torch.outer(weights, weights))
    assert weights[0] / weights[2] == pytest.approx(2.718281828**-4.5, rel=1e-5)
    assert translated(point, 1) is point


def test_an_even_window_is_refused() -> None:
    with pytest.raises(ValueError, match="must be odd"):
        MiDiTi(kernel=4)


def test_an_ensemble_follows_the_sum_of_its_members_gradients() -> None:
    """Of two linear embedders: sign(Aᵀ A (t - x) + Bᵀ B (t - x)), one step."""
    clean, target = photos(2), picture("t")
    one, two = (linear(name=n, unit=False) for n in "ab")
    toy = ToyTools({"a": one, "a2": one, "b": two}, impersonated=target)

    def moved(words: str) -> torch.Tensor:
        method = MiDiTi(words, Goal.IMPERSONATE, 4.0, 1, step=4.0, start=0.0, **OFF)  # type: ignore[arg-type]
        return method.transform(clean, toy, 0) - clean.pixels

    assert torch.equal(moved("a"), moved("a+a2"))
    pull = sum(net.w.T @ net.w for net in (one, two)) @ (target - clean.pixels).flatten(1).T  # type: ignore[attr-defined]
    towards = pull.T.reshape(clean.pixels.shape)
    inside = (clean.pixels > 4 / 255) & (clean.pixels < 251 / 255) & (towards.abs() > 1e-2)
    assert inside.float().mean() > 0.9
    assert torch.equal(moved("a+b").sign()[inside], towards.sign()[inside])
    assert not torch.equal(moved("a+b"), moved("a"))
