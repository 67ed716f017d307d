"""The evolutionary cloak: its budget of queries, its ball, what it may and may not see."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cloak_toys import eight_bits, photos, picture, tools

from harness.methods.cloaking.ensemble import Goal
from harness.methods.cloaking.evolutionary import Evolutionary, Space, colors
from harness.methods.cloaking.photos import BLOCK
from harness.methods.cloaking.round_trip import GeneratorRoundTrip

QUICK: dict[str, Any] = {"recogniser": "cnn", "budget": 40, "grid": 4, "eps": 16.0}


@pytest.mark.parametrize("count", [1, 3, BLOCK + 1])
def test_every_photo_costs_its_budget_and_no_gradient(count: int) -> None:
    toy = tools()
    Evolutionary("cnn", budget=7).transform(photos(count), toy, 0)
    assert toy.charged == {"queries": 7 * count}
    toy.charged.clear()
    Evolutionary("cnn", space=Space.LATENT, budget=7).transform(photos(count), toy, 0)
    assert toy.charged == {"queries": 7 * count, "decoder": 6 * count}


def test_its_answers_move_it_away_or_towards_within_the_ball() -> None:
    clean, toy = photos(), tools(impersonated=picture("t"))
    phi = toy.nets["cnn"]
    dodged = Evolutionary(**QUICK).transform(clean, toy, 0)
    assert (dodged - clean.pixels).abs().max() <= 16 / 255 + 1e-6
    assert ((phi(dodged) * phi(clean.pixels)).sum(1) < 0.999).all()
    t = phi(picture("t")[None])
    towards = Evolutionary(goal=Goal.IMPERSONATE, **QUICK).transform(clean, toy, 0)
    assert ((phi(towards) * t).sum(1) > (phi(clean.pixels) * t).sum(1)).all()


def test_the_best_picture_shown_is_returned() -> None:
    clean, toy = photos(), tools()
    shown: list[Any] = []
    ask = toy.ask

    def listen(name: str, images: Any) -> Any:
        answers = ask(name, images)
        shown.append((images.copy(), answers))
        return answers

    toy.ask = listen  # type: ignore[method-assign]
    made = eight_bits(Evolutionary(**QUICK).transform(clean, toy, 0)).permute(0, 2, 3, 1).numpy()
    own = shown[0][1]
    assert (shown[0][0] == eight_bits(clean.pixels).permute(0, 2, 3, 1).numpy()).all()
    assert (shown[1][0] == shown[0][0]).all()  # the first point is the photo
    scores = [[float(a[i] @ own[i]) for _, a in shown[1:]] for i in range(3)]
    for i, of_photo in enumerate(scores):
        best = min(range(len(of_photo)), key=of_photo.__getitem__)
        assert (made[i] == shown[1 + best][0][i]).all()
        assert of_photo[best] < of_photo[0]


def test_more_queries_are_no_worse() -> None:
    clean, toy = photos(), tools()
    phi = toy.nets["cnn"]
    few, many = (
        (phi(Evolutionary("cnn", grid=4, eps=16.0, budget=b).transform(clean, toy, 0)) * phi(clean.pixels)).sum(1)
        for b in (3, 80)
    )
    assert (many < few).all()


def test_a_latent_search_without_points_is_the_round_trip() -> None:
    clean, toy = photos(), tools()
    for params in ({"budget": 1}, {"scale": 0.0}):
        made = Evolutionary("cnn", space=Space.LATENT, **params).transform(clean, toy, 0)
        assert torch.equal(made, GeneratorRoundTrip().transform(clean, toy, 0))


def test_a_field_of_colors_is_smooth_and_bounded() -> None:
    x = torch.full((1, 3, 16, 16), 0.5)
    assert torch.equal(colors(torch.zeros(1, 3, 4, 4), x, 0.1), x)
    assert torch.allclose(colors(torch.full((1, 3, 4, 4), 50.0), x, 0.1), torch.full_like(x, 0.6))
    rough = torch.tensor([1.0, -1.0]).repeat(1, 3, 4, 2) * 50
    steps = (colors(rough, x, 0.1) - x).diff(dim=3).abs().max()
    assert steps <= 2 * 0.1 / 4 + 1e-6  # four pixels from one color to the next


def test_the_perceptual_weight_holds_it_back() -> None:
    clean, toy = photos(), tools()
    made = [Evolutionary(lam_p=w, **QUICK).transform(clean, toy, 0) for w in (0.0, 1e6)]
    free, held = (toy.distance(x, clean.pixels) for x in made)
    assert (free > 0).all()
    assert (held == 0).all()
