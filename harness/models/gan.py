"""Generators of images from latents: the shipped avatars-gan, and what an opened generator of any kind offers.

Latents are N(0, I). The knob `truncation` is psi: the generator reads psi z (arXiv 1809.11096 resamples, 1812.04948
shrinks; a generator without a mapping network shrinks z itself). At 1 nothing is multiplied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.models.model import Missing, MissingWeights, Model, model
from harness.models.parameterisations.knob import Knob
from harness.models.zoo import entry

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

TRUNCATION = Knob(default=1.0, low=0.0, high=1.5, scale=0.2)


@dataclass
class GeneratorSession:
    """A generator on a device.

    network      latents (n, D) to pictures (n, 3, H, W)
    latent_size  D;  device  of the network;  batch  latents a pass, the last one filled up
    low, high    the output range of the network, brought to [0, 1]
    shape        of one latent as the network reads it
    blocks, layers, knobs, settings   what parameterisations move (harness/models/parameterisations)
    """

    network: nn.Module
    latent_size: int
    device: str
    blocks: Mapping[str, nn.Module]
    layers: Mapping[str, nn.Module]
    batch: int = 32
    low: float = 0.0
    high: float = 1.0
    shape: tuple[int, ...] = ()
    knobs: Mapping[str, Knob] = field(default_factory=lambda: {"truncation": TRUNCATION})
    settings: dict[str, float] = field(default_factory=lambda: {"truncation": TRUNCATION.default})
    bias_size: int = 0
    logit_bias: torch.Tensor | None = None

    def decode(self, latents: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Pictures (n, H, W, 3) of latents (n, D), each independent of the others: every pass has one shape."""
        import torch

        if latents.ndim != 2 or latents.shape[1] != self.latent_size:
            raise ValueError(f"latents have shape {latents.shape}, expected (n, {self.latent_size})")
        if len(latents) == 0:
            raise ValueError("no latents to decode")
        parts = []
        with torch.inference_mode():
            for start in range(0, len(latents), self.batch):
                part = np.asarray(latents[start : start + self.batch], dtype=np.float32)
                full = np.concatenate([part, np.zeros((self.batch - len(part), self.latent_size), np.float32)])
                drawn = self.decode_tensor(torch.from_numpy(full).to(self.device))[: len(part)]
                parts.append((drawn * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy())
        return np.ascontiguousarray(np.concatenate(parts))

    def decode_tensor(self, latents: Tensor) -> Tensor:
        """Pictures (n, 3, H, W) in [0, 1] of a tensor (n, D) on the device, differentiable in it."""
        psi = self.settings.get("truncation", 1.0)
        z = latents if psi == 1 else latents * psi
        drawn: Tensor = self.network(z.reshape(len(z), *self.shape) if self.shape else z)
        if drawn.ndim != 4 or len(drawn) != len(z) or drawn.shape[1] != 3:
            raise ValueError(
                f"the generator gave {tuple(drawn.shape)} for {len(z)} latents, expected ({len(z)}, 3, H, W)"
            )
        if (self.low, self.high) != (0.0, 1.0):
            drawn = (drawn - self.low) / (self.high - self.low)
        return drawn.clamp(0.0, 1.0)


@model("avatars-gan")
@dataclass(frozen=True)
class AvatarsGan(Model):
    """64 random numbers to a portrait of the avatars world, 64×64."""

    @property
    def licence(self) -> str:
        return str(entry("avatars-gan").card["licence"])

    def weights(self) -> Mapping[str, str]:
        if missing := self.missing():
            raise MissingWeights(missing)
        return {name: str(f["sha256"]) for name, f in entry("avatars-gan").card["files"].items()}

    def missing(self) -> tuple[Missing, ...]:
        if entry("avatars-gan").is_present:
            return ()
        where = "harness/models/zoo/avatars-gan"
        return (Missing("shipped model avatars-gan", (where,), "harness zoo train avatars-gan"),)

    def open(self, device: str) -> GeneratorSession:
        """The generator in evaluation mode. Raises MissingWeights."""
        if missing := self.missing():
            raise MissingWeights(missing)
        from harness.models.generator import Generator

        network: Any = Generator.load(entry("avatars-gan").directory).to(device)
        return GeneratorSession(
            network=network,
            latent_size=network.latent,
            device=device,
            blocks={name: getattr(network, name) for name in ("stem", "up8", "up16", "up32")},
            layers={
                "stem": network.stem,
                "style16": network.up16.style,
                "style32": network.up32.style,
                "head": network.head,
            },
        )
