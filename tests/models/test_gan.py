"""avatars-gan: latents to portraits, one at a time or many, with everything that a search may move left as it was."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from harness.keys import generator
from harness.models import MODELS, zoo
from harness.models.gan import AvatarsGan, GeneratorSession
from harness.models.generator import Generator
from harness.models.judges import find
from harness.models.parameterisations.block_gains import BlockGains
from harness.models.parameterisations.channel_gains import ChannelGains
from harness.models.parameterisations.decoding import Decoding
from harness.models.parameterisations.rank_one import RankOne
from harness.worlds.avatars.attributes import sample
from harness.worlds.avatars.draw import render


@pytest.fixture(scope="module")
def session() -> GeneratorSession:
    return AvatarsGan().open("cpu")


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    return generator(11, "world").standard_normal((70, 64), dtype=np.float32)


@pytest.fixture(scope="module")
def images(session: GeneratorSession, latents: np.ndarray) -> np.ndarray:
    return session.decode(latents)


def test_latents_become_portraits(session: GeneratorSession, images: np.ndarray) -> None:
    assert session.latent_size == 64
    assert images.shape == (70, 64, 64, 3)
    assert images.dtype == np.uint8
    assert len({image.tobytes() for image in images}) == 70
    assert MODELS.get("avatars-gan") is AvatarsGan


def test_an_image_does_not_depend_on_the_batch(
    session: GeneratorSession, latents: np.ndarray, images: np.ndarray
) -> None:
    order = generator(12, "world").permutation(len(latents))
    assert (session.decode(latents[order]) == images[order]).all()
    assert (np.concatenate([session.decode(latents[i : i + 1]) for i in range(3)]) == images[:3]).all()


def test_stored_images_are_the_rounded_tensor(
    session: GeneratorSession, latents: np.ndarray, images: np.ndarray
) -> None:
    with torch.no_grad():
        drawn = session.decode_tensor(torch.from_numpy(latents[:32]))
    assert float(drawn.min()) >= 0
    assert float(drawn.max()) <= 1
    assert ((drawn * 255).round().byte().permute(0, 2, 3, 1).numpy() == images[:32]).all()


def test_truncation_is_neutral_at_one_and_shrinks_differences_below(
    session: GeneratorSession, latents: np.ndarray, images: np.ndarray
) -> None:
    spread = []
    for psi in (1.0, 0.7, 0.3, 0.0):
        session.settings["truncation"] = psi
        made = session.decode(latents[:32])
        spread.append(float(made.astype(float).std(0).mean()))
        if psi == 1:
            assert (made == images[:32]).all()
    session.settings["truncation"] = 1.0
    assert spread == sorted(spread, reverse=True)
    assert spread[-1] == 0


def test_zero_is_the_untouched_model_and_everything_named_moves_it(
    session: GeneratorSession, latents: np.ndarray, images: np.ndarray
) -> None:
    some = latents[:4]
    spaces = [BlockGains(), Decoding(), *(kind(layer) for layer in session.layers for kind in (ChannelGains, RankOne))]
    for space in spaces:
        size = space.size(session)
        with space.applied(session, np.zeros(size)):
            assert (session.decode(some) == images[:4]).all(), space
        with space.applied(session, np.ones(size)):
            assert (session.decode(some) != images[:4]).any(), space
        assert (session.decode(some) == images[:4]).all(), space
    for i in range(2 * len(session.blocks)):
        point = np.zeros(2 * len(session.blocks))
        point[i] = 3.0
        with BlockGains().applied(session, point):
            assert (session.decode(some) != images[:4]).any(), i


def test_a_copy_is_a_model_of_its_own(session: GeneratorSession, latents: np.ndarray, images: np.ndarray) -> None:
    other = copy.deepcopy(session)
    with BlockGains().applied(other, np.ones(BlockGains().size(other))):
        assert (session.decode(latents[:2]) == images[:2]).all()
        assert (other.decode(latents[:2]) != images[:2]).any()


def test_the_gradient_is_that_of_the_pictures(session: GeneratorSession, latents: np.ndarray) -> None:
    wide = copy.deepcopy(session)
    wide.network.double()
    judge = find("avatars-quality-a").gradient("cpu").double()  # type: ignore[attr-defined]
    z = torch.from_numpy(latents[:3]).double().requires_grad_()
    (slope,) = torch.autograd.grad(judge(wide.decode_tensor(z)).sum(), z)
    direction = torch.from_numpy(generator(13, "world").standard_normal((3, 64)))
    step = 1e-7  # small, so that it crosses no kink of a ReLU
    with torch.no_grad():
        ends = [judge(wide.decode_tensor(z + sign * step * direction)).sum() for sign in (1, -1)]
    assert float((slope * direction).sum()) == pytest.approx(float(ends[0] - ends[1]) / (2 * step), rel=1e-4)


def test_wrong_latents_and_wrong_networks_are_refused(session: GeneratorSession, latents: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\(2, 63\), expected \(n, 64\)"):
        session.decode(latents[:2, :63])
    with pytest.raises(ValueError, match="no latents"):
        session.decode(latents[:0])
    with pytest.raises(ValueError, match=r"expected \(32, 3, H, W\)"):
        replace(session, network=nn.Identity()).decode(latents[:2])


def test_the_card_says_how_far_training_went() -> None:
    card = zoo.entry("avatars-gan").card
    assert card["device"]
    assert card["seconds"] > 0
    curve = card["measured"]["fd_avatars_features_1000"]
    assert curve[-1]["fd"] < curve[0]["fd"]
    assert card["measured"]["fd_of_1000_renders"] < curve[-1]["fd"]
    assert sum(f["bytes"] for f in card["files"].values()) < 2.5 * 2**20
    assert set(AvatarsGan().weights()) == {"model.safetensors"}
    assert AvatarsGan().missing() == ()


def test_most_portraits_are_recognisable_and_there_is_something_to_mend(images: np.ndarray) -> None:
    from harness.models.classifier import AttributeClassifier

    classifier = AttributeClassifier.load(zoo.entry("avatars-attributes").directory)
    pictures = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    sure = torch.stack([p.max(1).values for p in classifier.predict(pictures).values()]).mean(0)
    assert float((sure > 0.75).float().mean()) > 0.8
    renders = render(sample(70, 4712))
    for name in ("avatars-quality-a", "avatars-quality-b"):
        read = find(name).open("cpu")
        ours, theirs = (read({"images": x}, [{}] * len(x))["score"] for x in (images, renders))
        assert 0.1 < ours.mean() < theirs.mean() - 0.05, name
        assert ours.std() > 0.02, name


def test_a_generator_is_stored_and_read_back(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from harness.worlds.recipes.card import write_card

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = Generator(8, (16, 16, 8, 8)).eval()
    made.save(tmp_path)
    write_card(tmp_path, {})
    back = Generator.load(tmp_path)
    z = torch.from_numpy(generator(0, "world").standard_normal((2, 8), dtype=np.float32))
    with torch.no_grad():
        assert torch.allclose(made(z), back(z), atol=2e-3)  # half-precision weights
    with pytest.raises(ValueError, match=r"expected \(N, 8\)"):
        back(z[:, :7])
