"""Inception-v3 with the weights of 2015-12-05, in the three protocols of clean-fid, by clean-fid's own networks.

inception-clean               resize pil-bicubic-f32-aa to 299, (x - 128) / 128, TorchScript file
inception-legacy_tensorflow   the same file resizes inside, bilinear as TensorFlow 1 did
inception-legacy_pytorch      bilinear without antialias to 299, 2 x / 255 - 1, the port of pytorch-fid
Feature: pool3, 2048 numbers. Weights of torchvision under the same name are other weights and are refused by hash.
Licence: TensorFlow's Inception, Apache-2.0; clean-fid is MIT. Source: clean-fid 0.1.35.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.models.extractors.declaration import Declaration, Forward
from harness.models.extractors.places import PublishedFile
from harness.models.extractors.resize import Resize

if TYPE_CHECKING:
    import torch

DIMENSION = 2048
LICENCE = "Apache-2.0 (TensorFlow's Inception of 2015-12-05)"
# The hash that k-diffusion checks the very address with (crowsonkb/k-diffusion, k_diffusion/evaluation.py).
TORCHSCRIPT = PublishedFile(
    "inception-2015-12-05.pt",
    "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
    "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
)
# The digits in its name begin its hash, by the convention of torch's hub.
PORT = PublishedFile(
    "pt_inception-2015-12-05-6726825d.pth",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    "6726825d",
)
_HERE = "harness.models.extractors.inception"
INCEPTION = (
    Declaration(
        name="inception-clean",
        summary="Inception-v3 of 2015-12-05, clean-fid's protocol `clean`: features of fid and kid",
        licence=LICENCE,
        weights=TORCHSCRIPT,
        resize=Resize("pil-bicubic-f32-aa", 299),
        input="(x-128)/128",
        layer="pool3",
        dimension=DIMENSION,
        build=f"{_HERE}:torchscript",
    ),
    Declaration(
        name="inception-legacy_tensorflow",
        summary="Inception-v3 of 2015-12-05, clean-fid's protocol `legacy_tensorflow`: resized inside the network",
        licence=LICENCE,
        weights=TORCHSCRIPT,
        resize=Resize("none"),
        input="tf1-bilinear to 299 inside",
        layer="pool3",
        dimension=DIMENSION,
        build=f"{_HERE}:torchscript",
    ),
    Declaration(
        name="inception-legacy_pytorch",
        summary="Inception-v3 of 2015-12-05, clean-fid's protocol `legacy_pytorch`: the port of pytorch-fid",
        licence=LICENCE,
        weights=PORT,
        resize=Resize("torch-bilinear-f32", 299),
        input="2x/255-1",
        layer="pool3",
        dimension=DIMENSION,
        build=f"{_HERE}:port",
    ),
)


def torchscript(files: Mapping[str, Path], device: str, declared: Declaration) -> Forward:
    """clean-fid's wrapper of the TorchScript file; it resizes inside where the protocol leaves the images alone."""
    from cleanfid.inception_torchscript import InceptionV3W

    folder = files[TORCHSCRIPT.name].parent
    network = InceptionV3W(str(folder), download=False, resize_inside=declared.resize.rule == "none")
    network = network.to(device).eval().requires_grad_(False)
    return lambda levels: _rows(network(levels))


def port(files: Mapping[str, Path], device: str, _: Declaration) -> Forward:
    """clean-fid's copy of pytorch-fid's network, with the verified file in place of its download."""
    import torch
    from cleanfid.inception_pytorch import InceptionV3

    state = torch.load(files[PORT.name], map_location="cpu", weights_only=True)
    # torchvision draws weights first, and warns of its own old arguments
    with _instead_of_download(state), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        network = InceptionV3(output_blocks=[3], resize_input=False)
    network = network.to(device).eval()
    return lambda levels: _rows(network(levels / 255)[0].flatten(1))


def _rows(features: Any) -> torch.Tensor:
    rows: torch.Tensor = features
    return rows


@contextmanager
def _instead_of_download(state: Any) -> Iterator[None]:
    """clean-fid's constructor asks for its weights by address; it is handed the state that was verified."""
    from cleanfid import inception_pytorch

    before = inception_pytorch.load_state_dict_from_url
    inception_pytorch.load_state_dict_from_url = lambda *_, **__: state
    try:
        yield
    finally:
        inception_pytorch.load_state_dict_from_url = before
