"""The controls: face_privacy.md section 5."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from cloak_toys import Pooled, eight_bits, photos, tools

from harness.methods.cloaking.another_photo import AnotherPhoto
from harness.methods.cloaking.decoys import drawn
from harness.methods.cloaking.degradations import Blur, Downscale, Pixelate
from harness.methods.cloaking.identity import Identity
from harness.methods.cloaking.matching import Match, matched
from harness.methods.cloaking.noise import Draw, Noise
from harness.methods.cloaking.random_decoy import RandomDecoy, Space
from harness.methods.cloaking.round_trip import GeneratorRoundTrip, RoundTrip8Bit


def test_identity_and_another_photo_are_what_they_say() -> None:
    clean = photos()
    assert torch.equal(Identity().transform(clean, tools(), 0), clean.pixels)
    assert clean.other is not None
    assert torch.equal(AnotherPhoto().transform(clean, tools(), 0), clean.other)
    with pytest.raises(ValueError, match="one photo each"):
        AnotherPhoto().transform(replace(clean, other=None), tools(), 0)


def test_eight_bits_are_the_nearest_levels_and_nothing_for_a_file() -> None:
    clean = photos()
    assert torch.equal(RoundTrip8Bit().transform(clean, tools(), 0), clean.pixels)
    off = replace(clean, pixels=(clean.pixels + 0.4 / 255).clamp(0, 1))
    assert torch.allclose(RoundTrip8Bit().transform(off, tools(), 0), clean.pixels)


def test_a_generators_round_trip_is_its_decoder_after_its_encoder() -> None:
    clean, toy, generator = photos(), tools(), Pooled()
    found = GeneratorRoundTrip().transform(clean, toy, 0)
    assert torch.equal(found, generator.decode(generator.encode(clean.pixels)))
    assert toy.charged == {"decoder": 3}


@pytest.mark.parametrize("draw", list(Draw))
@pytest.mark.parametrize("amount", [1.0, 4.0, 8.0, 16.0])
def test_noise_has_exactly_the_largest_change_asked_for_on_file(draw: Draw, amount: float) -> None:
    clean = photos()
    made = Noise(draw, Match.LINF, amount).transform(clean, tools(), 0)
    moved = (eight_bits(made).int() - eight_bits(clean.pixels).int()).abs()
    assert moved.flatten(1).max(1).values.tolist() == [amount] * 3
    if draw is Draw.SIGN:
        inside = (clean.pixels >= amount / 255) & (clean.pixels <= 1 - amount / 255)
        assert (moved[inside] == amount).all()


@pytest.mark.parametrize("draw", list(Draw))
@pytest.mark.parametrize("amount", [2e-3, 2e-2])
def test_noise_is_matched_to_a_perceptual_distance(draw: Draw, amount: float) -> None:
    """On 8-bit pictures the distance moves in steps; those of sign noise are whole levels of the picture."""
    clean, toy = photos(), tools()
    made = Noise(draw, Match.PERCEPTUAL, amount).transform(clean, toy, 0)
    found = toy.distance(made, clean.pixels)
    assert (found <= amount * (1 + 1e-5)).all()
    assert (found > amount * (0.99 if draw is Draw.GAUSSIAN else 0.7)).all()


def test_noise_of_another_seed_or_photo_is_other_noise() -> None:
    clean = photos(2)
    same = replace(clean, pixels=clean.pixels[:1].repeat(2, 1, 1, 1))
    made = Noise().transform(same, tools(), 0)
    assert not torch.equal(made[0], made[1])
    assert not torch.equal(made, Noise().transform(same, tools(), 1))


def test_where_an_amount_cannot_be_reached_the_most_is_taken() -> None:
    x = torch.full((2, 3, 4, 4), 0.5)

    def measure(v: torch.Tensor) -> torch.Tensor:
        return (v - x).abs().amax((1, 2, 3))

    far = matched(lambda s: x + s * torch.ones_like(x), measure, 9.0, 0.25, x)
    assert torch.allclose(far, x + 0.25, atol=1e-5)
    half = matched(lambda s: x + s * torch.tensor([1.0, 4.0])[:, None, None, None], measure, 0.1, 1.0, x)
    assert torch.allclose(half, x + 0.1, atol=1e-4)  # each photo by itself
    assert torch.equal(matched(lambda s: x + s, measure, 0.0, 1.0, x), x)


def test_degradations_keep_a_flat_picture_and_lose_detail_as_they_should() -> None:
    flat = torch.full((1, 3, 16, 16), 0.3)
    fine = (torch.arange(16) % 2).float().expand(1, 3, 16, 16)
    for method, left in ((Blur(3.0).blurred, 0.05), (Pixelate(8).pixelated, 1e-6), (Downscale(4.0).rescaled, 1e-6)):
        assert torch.allclose(method(flat), flat, atol=1e-6)
        assert (method(fine) - 0.5).abs().max() <= left


def test_pixelation_is_the_mean_of_blocks_and_smaller_ones_at_the_end() -> None:
    x = photos(1).pixels
    found = Pixelate(6).pixelated(x)
    assert torch.allclose(found[0, 1, 0:6, 6:12], x[0, 1, 0:6, 6:12].mean().expand(6, 6))
    assert torch.allclose(found[0, 2, 12:, 12:], x[0, 2, 12:, 12:].mean().expand(4, 4))


def test_downscaling_by_the_side_leaves_one_color() -> None:
    x = photos(1).pixels
    assert torch.allclose(Downscale(16.0).rescaled(x), x.mean((2, 3), keepdim=True).expand_as(x), atol=1e-6)


@pytest.mark.parametrize("space", list(Space))
def test_a_random_decoy_is_as_far_as_asked_on_the_way_to_a_decoy(space: Space) -> None:
    clean, toy, generator = photos(), tools(), Pooled()
    amount = 0.05
    made = RandomDecoy(space, amount=amount).transform(clean, toy, 0)
    found = toy.distance(made, clean.pixels)
    assert (found <= amount * (1 + 1e-5)).all()
    assert (found > 0.97 * amount).all()
    decoy = drawn(clean, toy, 0, "random_decoy")
    if space is Space.LATENT:
        start, end = generator.decode(generator.encode(clean.pixels)), generator.decode(generator.encode(decoy))
    else:
        start, end = clean.pixels, decoy
    along = ((made - start) * (end - start)).flatten(1).sum(1) / (end - start).flatten(1).norm(dim=1)
    assert torch.allclose(along, (made - start).flatten(1).norm(dim=1), rtol=1e-2)


def test_a_random_decoy_stays_at_the_round_trip_where_that_is_too_far_already() -> None:
    clean, toy = photos(), tools()
    made = RandomDecoy(amount=1e-9).transform(clean, toy, 0)
    assert torch.equal(eight_bits(made), eight_bits(GeneratorRoundTrip().transform(clean, toy, 0)))


def test_a_random_decoy_arrives_at_most() -> None:
    clean, toy = photos(), tools()
    made = RandomDecoy(Space.PIXELS, amount=1e9).transform(clean, toy, 0)
    assert torch.allclose(made, drawn(clean, toy, 0, "random_decoy"), atol=1e-6)
