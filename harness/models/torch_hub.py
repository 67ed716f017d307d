"""Generators behind torch.hub, such as the progressive GANs of facebookresearch/pytorch_GAN_zoo.

torch.hub imports `hubconf.py` of a repository and runs it: foreign code with the rights of the user. So nothing is
opened without `trust: true`, and no repository is fetched: `repo` is a directory, or owner/name[:branch] that torch.hub
has cached already. What the repository's own code fetches (checkpoints, with `pretrained`) is its affair; name the
files in `checkpoints` once they are there. What the entry point returns is the generator, or (an object of
pytorch_GAN_zoo) holds it in the attribute named by `attribute`. How it reads latents and what range it draws in are
options, because no convention says so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.models.gan import GeneratorSession
from harness.models.model import Missing, MissingWeights, Model, model
from harness.models.weights import sha256
from harness.options import option

HUB_FILE = "hubconf.py"
WEIGHTS = (".pt", ".pth", ".safetensors", ".bin", ".ckpt")


class NotTrusted(PermissionError):
    """Foreign code was to run without the user's word for it."""


def hub_folder() -> Path:
    """Where torch.hub keeps repositories, found without importing torch."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("TORCH_HOME") or cache / "torch") / "hub"


@model("torch_hub_gan")
@dataclass(frozen=True)
class TorchHubGan(Model):
    """A generator of images from a torch.hub entry point, in a trusted repository."""

    repo: str = option(help="directory with a hubconf.py, or owner/name[:branch] in torch.hub's cache")
    entry_point: str = option(help="function of hubconf.py")
    latent_size: int = option(help="numbers in a latent, drawn from N(0, 1)", at_least=1)
    trust: bool = option(False, help="true: run the repository's code", in_id=False)
    arguments: Mapping[str, str | int | float | bool] = option(
        factory=dict, help="keyword arguments of the entry point: model_name: celebAHQ-512, useGPU: false"
    )
    attribute: str = option("", help="dotted attribute of what the entry point returns; empty: that itself")
    latent_shape: tuple[int, ...] = option((), help="shape of one latent as the network reads it; empty: flat")
    low: float = option(-1.0, help="network output that is black")
    high: float = option(1.0, help="network output that is full")
    blocks: tuple[str, ...] = option((), help="dotted names of modules for block_gains")
    layers: tuple[str, ...] = option((), help="dotted names of layers for channel_gains and rank_one")
    batch: int = option(8, unit="images", at_least=1, help="latents a pass", in_id=False)
    checkpoints: tuple[str, ...] = option((), help="weight files outside the repository: their hashes enter the id")

    def __post_init__(self) -> None:
        if self.low == self.high:
            raise ValueError(f"low and high are both {self.low:g}: the output would have no range")

    def directory(self) -> Path:
        """The repository on this machine; it may not be there."""
        given = Path(self.repo).expanduser()
        if given.is_dir():
            return given
        name, _, branch = self.repo.partition(":")
        owner = name.replace("/", "_")
        found = hub_folder() / f"{owner}_{branch.replace('/', '_') or 'main'}"
        other = hub_folder() / f"{owner}_master"
        return other if not branch and not found.is_dir() and other.is_dir() else found

    def _files(self) -> list[Path]:
        """Code and weights of the repository, and the checkpoints named."""
        root = self.directory()
        own = sorted(p for p in root.rglob("*") if p.is_file() and p.suffix in (".py", *WEIGHTS))
        return [*own, *(Path(c).expanduser() for c in self.checkpoints)]

    def weights(self) -> Mapping[str, str]:
        """Hashes of the code too: it decides what is drawn."""
        if missing := self.missing():
            raise MissingWeights(missing)
        root = self.directory()
        return {p.relative_to(root).as_posix() if root in p.parents else p.name: sha256(p) for p in self._files()}

    def missing(self) -> tuple[Missing, ...]:
        root = self.directory()
        out = []
        if not (root / HUB_FILE).is_file():
            name, _, branch = self.repo.partition(":")
            address = f"https://github.com/{name}" + (f" -b {branch}" if branch else "")
            out.append(
                Missing(
                    f"{HUB_FILE} of {self.repo}",
                    (self.repo, str(root)),
                    f"git clone {address} {root}",
                    "the shipped model avatars-gan",
                )
            )
        out += [
            Missing(f"checkpoint {c}", (c,), f"copy it to {c}")
            for c in self.checkpoints
            if not Path(c).expanduser().is_file()
        ]
        return tuple(out)

    def open(self, device: str) -> GeneratorSession:
        """The generator in evaluation mode. Raises NotTrusted before any foreign line runs, MissingWeights."""
        if not self.trust:
            raise NotTrusted(
                f"torch.hub would run the code of {self.repo!r} ({self.directory()}) with your rights;"
                " read it, then say `trust: true` in the model's options"
            )
        if missing := self.missing():
            raise MissingWeights(missing)
        import torch

        with torch.random.fork_rng(devices=[]):  # networks draw their first weights from the global state
            made = torch.hub.load(  # type: ignore[no-untyped-call]
                str(self.directory()), self.entry_point, source="local", trust_repo=True, **self.arguments
            )
        network = _attribute(made, self.attribute) if self.attribute else made
        if not isinstance(network, torch.nn.Module):
            raise TypeError(
                f"entry point {self.entry_point!r} gave {type(network).__name__}, not a module: name the generator"
                " inside it with `attribute`"
            )
        network = network.to(device).eval().requires_grad_(False)
        modules = dict(network.named_modules())
        if unknown := [n for n in (*self.blocks, *self.layers) if n not in modules]:
            raise ValueError(f"the generator has no module {unknown[0]!r}; one of {', '.join(filter(None, modules))}")
        return GeneratorSession(
            network=network,
            latent_size=self.latent_size,
            device=device,
            blocks={name: modules[name] for name in self.blocks},
            layers={name: modules[name] for name in self.layers},
            batch=self.batch,
            low=self.low,
            high=self.high,
            shape=tuple(self.latent_shape),
        )


def _attribute(thing: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        if not hasattr(thing, part):
            raise ValueError(f"{type(thing).__name__} has no attribute {part!r} (of {dotted!r})")
        thing = getattr(thing, part)
    return thing
