"""Options that fit a model to a device: offload, slicing, tiling, variant, compiled; which of them may change bits."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_pipelines import build_pipeline

from harness.models.diffusion.hooks import Group, Hooks
from harness.models.diffusion.hub import Diffusers
from harness.models.diffusion.loop import sample
from harness.models.diffusion.placement import Offload, Placement
from harness.models.diffusion.samples import Samples

KINDS = ("sd", "sdxl", "sd3", "flux-dev", "dit")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {kind: tmp_path_factory.mktemp(kind) for kind in KINDS}
    for kind, folder in found.items():
        build_pipeline(kind).save_pretrained(folder)
    return found


def images(folder: Path, **options: Any) -> Samples:
    model = Diffusers(str(folder), steps=3, guidance=3.0, size=16, **options).open("cpu")
    prompt = "207" if "dit" in folder.name else "a portrait"
    return sample(model, Hooks(), [Group(3, 0, prompt, 0, (0, 1, 2))], seed=3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{"offload": "text"}, {"offload": "parts"}], ids=lambda o: o["offload"])
def test_where_parts_wait_changes_no_bit(kind: str, options: dict[str, Any], folders: dict[str, Path]) -> None:
    plain, moved = images(folders[kind]), images(folders[kind], **options)
    np.testing.assert_array_equal(plain.latents, moved.latents)
    np.testing.assert_array_equal(plain.images, moved.images)


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_one_image_at_a_time_changes_no_pixel(kind: str, folders: dict[str, Path]) -> None:
    plain, sliced = images(folders[kind]), images(folders[kind], slicing=True)
    np.testing.assert_array_equal(plain.latents, sliced.latents)
    assert np.abs(plain.images.astype(int) - sliced.images).max() <= 1  # a last bit before rounding to uint8


def test_options_that_change_pixels_are_in_the_fingerprint_and_the_others_are_not(folders: dict[str, Path]) -> None:
    path = str(folders["sd"])
    plain = Diffusers(path).fingerprint()
    for same in ({"slicing": True}, {"offload": Offload.TEXT}, {"offload": Offload.PARTS}):
        assert Diffusers(path, **same).fingerprint() == plain, same
    for other in ({"decode": "tiled"}, {"denoiser": "compiled"}, {"dtype": "float16"}, {"steps": 7}, {"size": 24}):
        assert Diffusers(path, **other).fingerprint() != plain, other


def test_tiling_and_slicing_reach_the_autoencoder(folders: dict[str, Path]) -> None:
    opened = Diffusers(str(folders["sd"]), decode="tiled", slicing=True).open("cpu")
    assert opened.pipe.vae.use_tiling
    assert opened.pipe.vae.use_slicing
    plain = Diffusers(str(folders["sd"])).open("cpu")
    assert not plain.pipe.vae.use_tiling
    assert not plain.pipe.vae.use_slicing


def test_a_variant_is_read_where_a_component_has_it_and_else_its_plain_files(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "sd"
    shutil.copytree(folders["sd"], folder)
    pipe = build_pipeline("sd")
    changed = {k: v + 0.25 for k, v in pipe.unet.state_dict().items()}
    other = type(pipe.unet).from_config(pipe.unet.config)
    other.load_state_dict(changed)
    other.save_pretrained(folder / "unet", variant="fp16")
    plain, variant = Diffusers(str(folder)), Diffusers(str(folder), variant="fp16")
    assert [n for n in variant.files() if n.endswith(".fp16.safetensors")] == [
        "unet/diffusion_pytorch_model.fp16.safetensors"
    ]
    assert "unet/diffusion_pytorch_model.safetensors" not in variant.files()
    assert "vae/diffusion_pytorch_model.safetensors" in variant.files()
    assert not [n for n in plain.files() if ".fp16." in n]
    assert plain.fingerprint() != variant.fingerprint()
    loaded = variant.open("cpu").family.network.state_dict()
    assert all(torch.equal(loaded[k], changed[k]) for k in changed)
    absent = Diffusers(str(folders["sd"]), variant="fp16")  # no component has it: the plain files, as without
    assert absent.files().keys() == Diffusers(str(folders["sd"])).files().keys()


@dataclass
class Part:
    """A module that notes where it was sent."""

    trail: list[str] = field(default_factory=list)

    def to(self, device: object) -> None:
        self.trail.append(str(device))


@pytest.mark.parametrize(
    ("offload", "text", "network", "vae"),
    [
        (Offload.NOTHING, ["cuda:0"], ["cuda:0"], ["cuda:0"]),
        (Offload.TEXT, ["cpu", "cuda:0", "cpu"], ["cuda:0"], ["cuda:0"]),
        (Offload.PARTS, ["cpu", "cuda:0", "cpu"], ["cpu", "cuda:0", "cpu"], ["cpu", "cuda:0"]),
    ],
)
def test_a_part_is_on_the_device_while_it_works_and_leaves_before_the_next(
    offload: Offload, text: list[str], network: list[str], vae: list[str]
) -> None:
    parts = {name: Part() for name in ("text", "network", "vae")}
    placement = Placement({name: [part] for name, part in parts.items()}, torch.device("cuda:0"), offload)
    for name in ("text", "network", "network", "vae"):
        placement.need(name)
    assert [parts[n].trail for n in parts] == [text, network, vae]


@pytest.mark.slow
def test_a_compiled_denoiser_gives_the_same_images_to_a_level(folders: dict[str, Path]) -> None:
    if shutil.which("g++") is None and shutil.which("c++") is None:
        pytest.skip("torch.compile needs a C++ compiler on a CPU")
    plain, compiled = images(folders["sd"]), images(folders["sd"], denoiser="compiled")
    np.testing.assert_allclose(plain.latents, compiled.latents, rtol=1e-3, atol=1e-4)
    assert np.abs(plain.images.astype(int) - compiled.images).max() <= 1
