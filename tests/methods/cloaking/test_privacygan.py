"""PrivacyGAN, our definition: face_privacy.md section 3, the table of closed forms; decoys; compositions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cloak_toys import PEOPLE, Pooled, photos, tools

from harness.methods.cloaking.decoys import Choice, Pool, nearer
from harness.methods.cloaking.ensemble import Ensemble, slope
from harness.methods.cloaking.fawkes import Fawkes
from harness.methods.cloaking.privacygan import Compose, Mode, PrivacyGan, disagreement
from harness.methods.cloaking.round_trip import GeneratorRoundTrip

BASE: dict[str, Any] = {"surrogates": "cnn", "steps": 40, "rate": 0.02}


def similarity(made: torch.Tensor, toy: Any, wanted: torch.Tensor) -> torch.Tensor:
    return (toy.nets["cnn"](made) * torch.nn.functional.normalize(wanted, dim=1)).sum(1)


def test_without_steps_it_is_the_round_trip_bit_for_bit() -> None:
    clean, toy = photos(), tools()
    made = PrivacyGan("cnn", steps=0).transform(clean, toy, 0)
    assert torch.equal(made, GeneratorRoundTrip().transform(clean, toy, 0))


def test_without_a_decoy_it_reconstructs_no_worse_than_the_round_trip() -> None:
    clean, toy = photos(), tools()
    trip = GeneratorRoundTrip().transform(clean, toy, 0)
    made = PrivacyGan(lam_e=0.0, lam_w=0.0, **BASE).transform(clean, toy, 0)

    def error(x: torch.Tensor) -> torch.Tensor:
        return toy.distance(x, clean.pixels) + (x - clean.pixels).square().mean((1, 2, 3))

    assert (error(made) < error(trip)).all()
    phi = toy.nets["cnn"]
    off = [1 - (phi(x) * phi(clean.pixels)).sum(1) for x in (made, trip)]
    assert (off[0] < off[1] + 0.02).all()  # no protection to speak of beyond the control's


def test_a_decoy_that_is_the_round_trip_itself_has_zero_gradient() -> None:
    clean, toy, generator = photos(), tools(), Pooled()
    start = generator.encode(clean.pixels)
    ensemble = Ensemble.of(toy, "cnn+linear")
    wanted = ensemble.known(generator.decode(start))
    pull = slope(lambda w: disagreement(ensemble.vectors(generator.decode(w)), wanted), start)
    assert disagreement(ensemble.known(generator.decode(start)), wanted).abs().max() < 1e-6
    assert pull.abs().max() < 1e-6  # float32
    other = slope(lambda w: disagreement(ensemble.vectors(generator.decode(w)), [-v for v in wanted]), start + 0.1)
    assert other.abs().max() > 1e-4


def test_a_stronger_decoy_term_comes_no_less_near_to_the_decoy() -> None:
    clean, toy = photos(), tools()
    pool = Pool.of(Ensemble.of(toy, "cnn"), toy)
    (wanted,) = pool.chosen(Choice.FARTHEST, "", [toy.nets["cnn"](clean.pixels)])
    sweep = [PrivacyGan("cnn", lam_e=e, steps=60, rate=0.02) for e in (0.0, 0.01, 0.1, 1.0)]
    reached = torch.stack([similarity(m.transform(clean, toy, 0), toy, wanted) for m in sweep])
    assert (reached.diff(dim=0) > -1e-3).all()
    assert (reached[-1] > reached[0] + 0.05).all()


def test_each_choice_of_decoy_is_its_definition() -> None:
    clean, toy = photos(), tools()
    vectors = [toy.nets["cnn"](clean.pixels), toy.nets["linear"](clean.pixels)]
    pool = Pool.of(Ensemble.of(toy, "cnn+linear"), toy)
    seen = [toy.nets[n](toy.decoys) for n in ("cnn", "linear")]
    similar = sum(v @ s.T for v, s in zip(vectors, seen, strict=True)).numpy() / 2
    order = np.argsort(-similar, axis=1)

    def rows(choice: Choice, person: str = "") -> Any:
        found = pool.chosen(choice, person, vectors)[0]
        return [int((seen[0] - f).norm(dim=1).argmin()) for f in found]

    assert rows(Choice.FARTHEST) == order[:, -1].tolist()
    assert rows(Choice.MEDIAN_RANK) == order[:, PEOPLE].tolist()  # the 7th of 12
    mine = np.where(toy.decoy_person == "decoy3", similar, -9).argmax(1).tolist()
    assert rows(Choice.NAMED, "decoy3") == mine
    centroid = pool.chosen(Choice.CENTROID, "", vectors)
    assert torch.allclose(centroid[1], seen[1].mean(0).expand(3, -1), atol=1e-6)
    with pytest.raises(ValueError, match="'nobody' is not in the pool: decoy0, decoy1"):
        pool.chosen(Choice.NAMED, "nobody", vectors)


def test_a_named_decoy_has_a_name_and_no_other_has() -> None:
    for params in ({"decoy": Choice.NAMED}, {"named": "decoy1"}):
        with pytest.raises(ValueError, match="and of nothing else"):
            PrivacyGan(**params)


def test_an_empty_pool_is_an_error() -> None:
    toy = tools()
    toy.decoys, toy.decoy_person = toy.decoys[:0], toy.decoy_person[:0]
    with pytest.raises(ValueError, match="there are no decoys"):
        PrivacyGan(**BASE).transform(photos(), toy, 0)


def test_the_rank_of_a_decoy_counts_who_is_more_similar() -> None:
    toy = tools()
    pool = Pool.of(Ensemble.of(toy, "cnn"), toy)
    x = toy.nets["cnn"](photos().pixels)
    order = (x @ pool.vectors[0].T).argsort(dim=1, descending=True)
    for rank in (0, 3, 11):
        assert nearer(pool, [x], [pool.vectors[0][order[:, rank]]]).tolist() == [rank] * 3


def test_a_hinge_stops_pushing_once_the_decoy_is_near() -> None:
    clean, toy = photos(), tools()
    (wanted,) = Pool.of(Ensemble.of(toy, "cnn"), toy).chosen(Choice.FARTHEST, "", [toy.nets["cnn"](clean.pixels)])
    free, hinged, off = (
        similarity(PrivacyGan(lam_e=5.0, hinge=h, **BASE).transform(clean, toy, 0), toy, wanted) for h in (None, 6, 99)
    )
    none = similarity(PrivacyGan(lam_e=0.0, **BASE).transform(clean, toy, 0), toy, wanted)
    assert (hinged < free).all()
    assert (hinged > off).all()
    assert torch.equal(off, none)  # every rank of a pool of 12 is below 99


def test_weights_of_the_picture_and_of_the_latent_hold_it_back() -> None:
    clean, toy = photos(), tools()
    free = PrivacyGan(lam_e=5.0, lam_p=0.0, lam_2=0.0, lam_w=0.0, **BASE).transform(clean, toy, 0)
    trip = GeneratorRoundTrip().transform(clean, toy, 0)
    for weight, to in (("lam_p", clean.pixels), ("lam_2", clean.pixels), ("lam_w", trip)):
        params = {"lam_p": 0.0, "lam_2": 0.0, "lam_w": 0.0, weight: 500.0}
        held = PrivacyGan(lam_e=5.0, **params, **BASE).transform(clean, toy, 0)
        assert ((held - to).square().mean((1, 2, 3)) < 0.5 * (free - to).square().mean((1, 2, 3))).all(), weight


def test_both_orders_of_a_composition_are_their_stages_in_turn() -> None:
    clean, toy, base = photos(), tools(), BASE | {"steps": 5}
    fawkes = Fawkes("cnn", bound=0.004, steps=40, rate=25.0)
    alone = PrivacyGan(**base)
    first = PrivacyGan(compose=Compose.FAWKES_FIRST, fawkes=Mode.LOW, **base)
    assert first.stage == fawkes
    wanted = alone.transform(replace(clean, pixels=fawkes.transform(clean, toy, 0)), toy, 0)
    toy.charged.clear()
    assert torch.equal(first.transform(clean, toy, 0), wanted)
    assert toy.charged == {"gradient": 3 * (5 + 41), "decoder": 3 * 6}
    last = PrivacyGan(compose=Compose.FAWKES_LAST, fawkes=Mode.LOW, **base)
    wanted = fawkes.transform(replace(clean, pixels=alone.transform(clean, toy, 0)), toy, 0)
    assert torch.equal(last.transform(clean, toy, 0), wanted)
    assert not torch.equal(wanted, first.transform(clean, toy, 0))
