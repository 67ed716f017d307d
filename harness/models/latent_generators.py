"""Generators whose latents a cloak may move: an autoencoder, or a GAN with a projector, by name.

avatars-vq      the shipped VQModel: 16x16 codes; the latents are those before the codebook, which `decode` applies with
                gradients passing straight through
avatars-vae     the autoencoder of avatars-sd, posterior means
avatars-gan     the shipped GAN; a picture's latent is found by a fixed number of gradient steps from zero
FOLDER or ID    a diffusers VQModel or AutoencoderKL in a folder, or in the local cache of a hub: owner/name, or
                owner/name/subfolder of a pipeline

Both ways a picture does not feel its neighbours: nothing here normalises over a batch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.models.model import Missing, MissingWeights
from harness.models.weights import sha256
from harness.models.zoo import entry

if TYPE_CHECKING:
    from torch import Tensor

PROJECTION_STEPS, PROJECTION_RATE = 100, 0.1
WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
SHIPPED = ("avatars-vq", "avatars-vae", "avatars-gan")


@dataclass(frozen=True)
class LatentGeneratorEntry:
    """A generator by name; `folder` holds config.json and weights, and is None for what is nowhere on this machine."""

    name: str
    folder: Path | None

    def missing(self) -> tuple[Missing, ...]:
        """What is missing."""
        if self.folder is not None and (self.folder / "config.json").is_file():
            return ()
        zoo = self.name in SHIPPED
        where = f"harness/models/zoo/{self.name}" if zoo else self.name
        fetch = f"harness zoo train {self.name}" if zoo else f"hf download {self.name}"
        return (Missing(f"generator {self.name}", (where,), fetch, "" if zoo else "generator avatars-vq"),)

    def identity(self) -> str:
        """32 hex digits of its files, and of how it is used. Raises MissingWeights."""
        if absent := self.missing():
            raise MissingWeights(absent)
        assert self.folder is not None
        files = {
            p.name: sha256(p) for p in sorted(self.folder.iterdir()) if p.suffix in (".json", ".safetensors", ".bin")
        }
        files.pop("card.json", None)
        how = [PROJECTION_STEPS, PROJECTION_RATE] if self.name == "avatars-gan" else []
        return hashlib.blake2b(json.dumps([files, how]).encode(), digest_size=16).hexdigest()

    def open(self, device: str) -> Autoencoder | Projector:
        """The generator on a device. Raises MissingWeights, ValueError for a class that has no latents to move."""
        if absent := self.missing():
            raise MissingWeights(absent)
        assert self.folder is not None
        if self.name == "avatars-gan":
            from harness.models.generator import Generator

            return Projector(Generator.load(self.folder).to(device))
        return Autoencoder(_autoencoder(self.folder).to(device))


def find(name: str) -> LatentGeneratorEntry:
    """The generator of a name, a folder or a hub id; whether it is there `missing` says."""
    if name == "avatars-vae":
        return LatentGeneratorEntry(name, entry("avatars-sd").directory / "vae")
    if name in SHIPPED:
        return LatentGeneratorEntry(name, entry(name).directory)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return LatentGeneratorEntry(name, folder)
    from huggingface_hub import try_to_load_from_cache

    owner, _, rest = name.partition("/")
    repository, _, inside = rest.partition("/")
    file = f"{inside}/config.json" if inside else "config.json"
    found = try_to_load_from_cache(f"{owner}/{repository}", file) if repository else None
    return LatentGeneratorEntry(name, Path(found).parent if isinstance(found, str) else None)


def _autoencoder(folder: Path) -> Any:
    import torch
    from diffusers import AutoencoderKL, VQModel

    said = json.loads((folder / "config.json").read_text()).get("_class_name", "")
    classes = {"VQModel": VQModel, "AutoencoderKL": AutoencoderKL}
    if said not in classes:
        raise ValueError(f"{folder} holds a {said or 'model of no class'}; a VQModel or an AutoencoderKL is needed")
    net = classes[said].from_pretrained(folder, torch_dtype=torch.float32)
    return net.eval().requires_grad_(False)


class Autoencoder:
    """A VQModel or AutoencoderKL: latents (n, C, h, w) before the codebook, or posterior means."""

    def __init__(self, net: Any) -> None:
        self.net = net

    def encode(self, pixels: Tensor) -> Tensor:
        """Latents of pictures (n, 3, H, W) in [0, 1]."""
        encoded = self.net.encode(2 * pixels - 1)
        latents: Tensor = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures in [0, 1], differentiable."""
        pictures: Tensor = self.net.decode(latents).sample / 2 + 0.5
        return pictures.clamp(0.0, 1.0)


class Projector:
    """A GAN with its projector: Adam on the squared error of every picture by itself, from the latent 0."""

    def __init__(self, net: Any) -> None:
        self.net = net

    def encode(self, pixels: Tensor) -> Tensor:
        """Latents (n, D) whose pictures are near `pixels` (n, 3, 64, 64) in [0, 1]; a fixed number of steps."""
        import torch

        with torch.inference_mode(False), torch.enable_grad():
            wanted = pixels.detach().clone()
            z = torch.zeros(len(wanted), self.net.latent, device=wanted.device, requires_grad=True)
            optimizer = torch.optim.Adam([z], lr=PROJECTION_RATE)
            for _ in range(PROJECTION_STEPS):
                loss = (self.net(z) - wanted).square().mean(dim=(1, 2, 3)).sum() + 1e-4 * z.square().sum()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
        return z.detach()

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures in [0, 1], differentiable."""
        pictures: Tensor = self.net(latents)
        return pictures.clamp(0.0, 1.0)
