"""Fawkes and LowKey: the bound, both variants, the modes of the code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cloak_toys import eight_bits, photos, tools

from harness.methods.baseline import load_baseline
from harness.methods.cloaking.decoys import Pool
from harness.methods.cloaking.ensemble import Ensemble
from harness.methods.cloaking.fawkes import Fawkes, Variant
from harness.methods.cloaking.lowkey import LowKey
from harness.methods.cloaking.privacygan import MODES
from harness.metrics import structure
from harness.models.structural import dssim
from harness.options import build

QUICK: dict[str, Any] = {"surrogates": "cnn", "steps": 25, "rate": 20.0, "weight": 100.0}


@pytest.mark.parametrize("variant", list(Variant))
@pytest.mark.parametrize("bound", [0.002, 0.01])
def test_the_bound_of_dssim_holds_and_is_used(variant: Variant, bound: float) -> None:
    clean = photos()
    made = Fawkes(variant=variant, bound=bound, clip=None, **QUICK).transform(clean, tools(), 0)
    changed = dssim(made, clean.pixels)
    assert (changed <= bound * (1 + 1e-5)).all()
    assert (changed > bound / 20).all()
    a, b = (eight_bits(v).permute(0, 2, 3, 1).numpy() for v in (made, clean.pixels))
    assert ((1 - structure.ssim(a, b)) / 2 <= bound + 5e-4).all()  # rounding to 8 bits


def test_v1_goes_away_and_the_paper_goes_to_the_least_similar_person() -> None:
    clean, toy = photos(), tools()
    phi = toy.nets["cnn"]
    ensemble = Ensemble.of(toy, "cnn")
    _, (centroids,) = Pool.of(ensemble, toy).centroids()
    far = centroids[torch.cdist(phi(clean.pixels), centroids).argmax(1)]
    v1, paper = (Fawkes(variant=v, bound=0.02, **QUICK).transform(clean, toy, 0) for v in (Variant.V1, Variant.PAPER))

    def to_decoy(x: torch.Tensor) -> torch.Tensor:
        return (phi(x) - far).norm(dim=1)

    assert (to_decoy(paper) < to_decoy(clean.pixels)).all()
    assert (to_decoy(paper) < to_decoy(v1)).all()
    assert ((phi(v1) - phi(clean.pixels)).norm(dim=1) > 1e-3).all()


def test_a_wider_bound_moves_vectors_further() -> None:
    clean, toy = photos(), tools()

    def moved(bound: float) -> torch.Tensor:
        made = Fawkes(bound=bound, **QUICK).transform(clean, toy, 0)
        return (toy.nets["cnn"](made) - toy.nets["cnn"](clean.pixels)).norm(dim=1)

    small, wide = moved(0.001), moved(0.02)
    assert (small < wide).all()


def test_the_change_is_clipped() -> None:
    clean = photos()
    made = Fawkes(bound=0.2, clip=3.0, **QUICK).transform(clean, tools(), 0)
    assert (made - clean.pixels).abs().max() <= 3 / 255 + 1e-6


def test_of_drawn_candidates_the_least_similar_is_taken_by_photo() -> None:
    clean, toy = photos(8), tools()
    method = Fawkes(variant=Variant.PAPER, candidates=1, **QUICK)
    ensemble = Ensemble.of(toy, "cnn")
    people, (centroids,) = Pool.of(ensemble, toy).centroids()
    (found,) = method._centroids(clean, ensemble.known(clean.pixels), ensemble, toy, 0)
    rows = [int(np.flatnonzero((centroids == f).all(1).numpy())[0]) for f in found]
    assert len(set(rows)) > 2  # one candidate each: whoever is drawn
    (all_of_them,) = Fawkes(variant=Variant.PAPER, candidates=len(people))._centroids(
        clean, ensemble.known(clean.pixels), ensemble, toy, 0
    )
    assert torch.equal(all_of_them, centroids[torch.cdist(ensemble.known(clean.pixels)[0], centroids).argmax(1)])


def test_the_modes_of_the_code_are_baselines_and_those_of_compositions() -> None:
    for mode, wanted in {"low": (0.004, 40, 25.0), "mid": (0.012, 75, 20.0), "high": (0.017, 150, 15.0)}.items():
        method = build(Fawkes, load_baseline(f"fawkes@{mode}").params)
        assert (method.bound, method.steps, method.rate) == wanted == MODES[mode]  # type: ignore[index]
        assert (method.variant, method.kappa, method.clip) == (Variant.V1, 1e7, 15.0)
    paper = build(Fawkes, load_baseline("fawkes@paper").params)
    assert (paper.variant, paper.bound, paper.clip) == (Variant.PAPER, 0.007, None)


def test_published_protection_is_that_of_the_reference() -> None:
    def values(name: str) -> list[float]:
        return [p.value for p in load_baseline(name).published]

    assert values("fawkes@high") == [0.97, 0.0, 0.03]
    assert values("lowkey@facecure") == [0.94, 1.0, 0.24, 0.03]
    assert values("tip_im@code") == [0.544, 0.3723, 0.4074, 0.4872]
    assert {p.mark for p in load_baseline("tip_im@code").published} == {"secondary"}


def test_lowkey_keeps_its_budget_and_goes_away_also_when_blurred() -> None:
    from harness.models.kernels import Border, gaussian, windowed

    clean, toy = photos(), tools()
    made = LowKey("cnn", steps=20).transform(clean, toy, 0)
    assert (made - clean.pixels).abs().max() <= 12.75 / 255 + 1e-6
    assert toy.charged == {"gradient": 2 * 20 * 3}
    phi, weights = toy.nets["cnn"], gaussian(7, 3.0)
    own = phi(clean.pixels)
    for seen in (made, windowed(made, weights, Border.MIRROR)):
        plain = clean.pixels if seen is made else windowed(clean.pixels, weights, Border.MIRROR)
        assert ((phi(seen) - own).norm(dim=1) > (phi(plain) - own).norm(dim=1)).all()


def test_lowkey_pays_for_what_is_seen() -> None:
    clean, toy = photos(), tools()
    free, dear = (
        toy.distance(LowKey("cnn", steps=20, weight=w).transform(clean, toy, 0), clean.pixels) for w in (0.0, 1e6)
    )
    assert (dear < free / 2).all()


def test_lowkey_is_the_preset() -> None:
    assert build(LowKey, load_baseline("lowkey@facecure").params) == LowKey()
    assert (LowKey().eps / 255, LowKey().step / 255) == pytest.approx((0.05, 0.0025))
