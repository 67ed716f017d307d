"""TIP-IM: the nearest candidate, the discrepancy of patches, its steps."""

from __future__ import annotations

import math

import pytest
import torch
from cloak_toys import PEOPLE, photos, tools

from harness.methods.cloaking.ensemble import Ensemble
from harness.methods.cloaking.tip_im import Norm, TipIm, discrepancy, distances


def test_distances_are_summed_over_surrogates() -> None:
    v = [torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])]
    c = [torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), torch.tensor([[[0.0, 0.0], [0.0, 2.0]]])]
    assert torch.equal(distances(v, c), torch.tensor([[4.0, 2.0]]))


def test_the_nearest_candidate_is_the_one_with_the_largest_gain() -> None:
    """log(1 + exp(d(x', x) - d(x', t))) over candidates, as written."""
    near = torch.tensor([0.7, 0.2, 1.9])
    gains = [math.log(1 + math.exp(0.4 - float(d))) for d in near]
    assert gains.index(max(gains)) == int(near.argmin())


def test_it_comes_nearer_to_a_candidate_than_to_itself() -> None:
    clean, toy = photos(), tools()
    method, ensemble = TipIm("cnn+linear", steps=30), Ensemble.of(toy, "cnn+linear")
    candidates = method._candidates(clean, ensemble, toy, 0)
    made = method.transform(clean, toy, 0)
    own = [o[:, None] for o in ensemble.known(clean.pixels)]
    near = [distances(ensemble.known(x), candidates).min(1).values for x in (clean.pixels, made)]
    away = [distances(ensemble.known(x), own)[:, 0] for x in (clean.pixels, made)]
    assert (near[1] - away[1] < near[0] - away[0] - 0.2).all()
    assert (away[1] > 0.2).all()
    assert (made - clean.pixels).abs().max() <= 12 / 255 + 1e-6


def test_candidates_are_different_people_and_other_ones_for_other_photos() -> None:
    clean, toy = photos(6), tools()
    ensemble = Ensemble.of(toy, "cnn")
    (three,) = TipIm("cnn", candidates=3)._candidates(clean, ensemble, toy, 0)
    assert three.shape[:2] == (6, 3)
    assert torch.cdist(three, three)[:, ~torch.eye(3, dtype=torch.bool)].min() > 1e-4
    assert len({tuple(row.flatten().tolist()) for row in three}) > 1
    (few,) = TipIm("cnn", candidates=100)._candidates(clean, ensemble, toy, 0)
    assert few.shape[1] == PEOPLE


def test_the_discrepancy_of_equal_pictures_is_zero_and_of_any_others_is_not() -> None:
    x = photos(3).pixels
    assert discrepancy(x, x).abs().max() < 1e-6
    assert (discrepancy((x + 0.2).clamp(0, 1), x) > 1e-3).all()
    assert torch.allclose(discrepancy(x[:1].roll(8, 3), x[:1]), torch.zeros(1), atol=1e-6)  # the same patches


def test_the_discrepancy_of_two_patches_is_its_formula() -> None:
    """One patch a picture: width 0 is floored, so take two: 16 x 8 pictures of flat patches a, b against c, d."""

    def flat(first: float, second: float) -> torch.Tensor:
        return torch.cat([torch.full((1, 3, 8, 8), v) for v in (first, second)], dim=2)

    width = 192 * 0.04 / 2  # mean over all pairs of |u - v|², u and v .2 apart

    def kernel(u: float, v: float) -> float:
        return math.exp(-192 * (u - v) ** 2 / (2 * width))

    def mean(a: tuple[float, float], b: tuple[float, float]) -> float:
        return sum(kernel(u, v) for u in a for v in b) / 4

    a, b = (0.5, 0.6), (0.4, 0.6)
    wanted = mean(a, a) + mean(b, b) - 2 * mean(a, b)
    assert float(discrepancy(flat(*a), flat(*b))) == pytest.approx(wanted, abs=1e-5)


def test_a_large_gamma_holds_the_picture() -> None:
    clean, toy = photos(), tools()
    free, held = (
        discrepancy(TipIm("cnn", steps=10, gamma=g).transform(clean, toy, 0), clean.pixels) for g in (0.0, 1e4)
    )
    assert (held < free).all()


def test_a_step_has_root_mean_square_one_or_is_a_sign() -> None:
    g = photos(2).pixels - 0.5
    step = TipIm()._direction(g)
    assert torch.allclose(step.square().mean((1, 2, 3)), torch.ones(2))
    assert torch.allclose(step / step.abs().amax(), g / g.abs().amax(), atol=1.0)
    assert torch.equal(TipIm(norm=Norm.SIGN)._direction(g), g.sign())
    assert TipIm()._direction(torch.zeros(1, 3, 4, 4)).abs().max() == 0
