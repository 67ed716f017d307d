"""Generators whose latents cloaks move: round trips, gradients, independence of neighbours, names and missing files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, VQModel

from harness.data.face_set import avatars_people
from harness.models.latent_generators import find
from harness.models.model import MissingWeights
from harness.tasks.face_cloaking import tensor_of


@pytest.fixture(scope="module")
def photos() -> torch.Tensor:
    return tensor_of(avatars_people(3, 1, 1, 1, 1, 1).users.pixels)


@pytest.mark.parametrize(("name", "most"), [("avatars-vq", 0.005), ("avatars-vae", 0.012), ("avatars-gan", 0.06)])
def test_a_photograph_comes_back_alike(name: str, most: float, photos: torch.Tensor) -> None:
    generator = find(name).open("cpu")
    with torch.no_grad():
        made = generator.decode(generator.encode(photos))
    assert made.shape == photos.shape
    assert 0 <= float(made.min()) <= float(made.max()) <= 1
    assert float((made - photos).square().mean()) < most


@pytest.mark.parametrize("name", ["avatars-vq", "avatars-vae", "avatars-gan"])
def test_gradients_reach_the_latents(name: str, photos: torch.Tensor) -> None:
    generator = find(name).open("cpu")
    z = generator.encode(photos[:1]).detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(generator.decode(z).mean(), z)
    assert float(slope.abs().sum()) > 0


@pytest.mark.parametrize("name", ["avatars-vq", "avatars-gan"])
def test_a_photograph_does_not_feel_its_neighbours(name: str, photos: torch.Tensor) -> None:
    generator, others = find(name).open("cpu"), photos.clone()
    others[2:] = photos.flip(0)[2:]
    assert not torch.equal(others, photos)
    assert torch.equal(generator.encode(photos)[:2], generator.encode(others)[:2])


def test_a_folder_of_a_vq_model_and_of_an_autoencoder(tmp_path: Path) -> None:
    small = {"block_out_channels": (8,), "down_block_types": ("DownEncoderBlock2D",), "layers_per_block": 1}
    up = {"up_block_types": ("UpDecoderBlock2D",), "norm_num_groups": 4}
    VQModel(**small, **up, num_vq_embeddings=8).save_pretrained(tmp_path / "vq")
    AutoencoderKL(**small, **up).save_pretrained(tmp_path / "kl")
    pixels = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for folder in ("vq", "kl"):
        entry = find(str(tmp_path / folder))
        opened = entry.open("cpu")
        assert opened.decode(opened.encode(pixels)).shape == pixels.shape
        assert len(entry.identity()) == 32
    assert find(str(tmp_path / "vq")).identity() != find(str(tmp_path / "kl")).identity()
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    with pytest.raises(ValueError, match="VQModel or an AutoencoderKL is needed"):
        find(str(tmp_path / "unet")).open("cpu")


def test_what_is_nowhere_says_how_to_get_it() -> None:
    with pytest.raises(MissingWeights, match="hf download nobody/nothing"):
        find("nobody/nothing").identity()
