"""What one class of diffusers pipeline does in its own way: encode a prompt, call the denoiser, scale a latent.

One file a family; each call is the stock pipeline's own (same arguments, same order of operations), so that the loop
over it equals the pipeline bit for bit. FAMILIES is the catalogue, by the pipeline's class name.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from harness.models.diffusion.hooks import Condition

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Known:
    """A supported pipeline class: where its family is, and the steps and guidance of the stock pipeline's call."""

    origin: str
    steps: int
    guidance: float


_ROOM = "harness.models.diffusion."
FAMILIES: Mapping[str, Known] = {
    "StableDiffusionPipeline": Known(f"{_ROOM}stable_diffusion:StableDiffusion", 50, 7.5),
    "StableDiffusionXLPipeline": Known(f"{_ROOM}stable_diffusion:StableDiffusionXl", 50, 5.0),
    "StableDiffusion3Pipeline": Known(f"{_ROOM}stable_diffusion_3:StableDiffusion3", 28, 7.0),
    "FluxPipeline": Known(f"{_ROOM}flux:Flux", 28, 3.5),
    "DiTPipeline": Known(f"{_ROOM}dit:DiT", 50, 4.0),
}


def family_of(pipe: Any) -> type[Family]:
    """The family of a loaded pipeline. Raises ValueError naming the supported classes."""
    name = type(pipe).__name__
    if name not in FAMILIES:
        raise ValueError(f"pipeline {name} is not supported; supported: {', '.join(FAMILIES)}")
    module, _, attribute = FAMILIES[name].origin.partition(":")
    found: type[Family] = getattr(importlib.import_module(module), attribute)
    return found


class Family(ABC):
    """A loaded pipeline seen through its family.

    pipe           the diffusers pipeline;  network its denoiser
    size_px        side of the square images;  latent_shape (C, h, w)
    device         where tensors for the network are put
    network_guidance  value of the network's own guidance input, where it has one and w is not it (see flux.py)
    """

    network_part: ClassVar[str] = "unet"
    text_parts: ClassVar[tuple[str, ...]] = ("text_encoder",)
    flow: ClassVar[bool] = False
    # Whether the stock pipeline lifts a float16 autoencoder to float32 where its configuration says `force_upcast`
    # (every AutoencoderKL does by default; only SDXL's pipeline heeds it).
    lifts_vae: ClassVar[bool] = False

    # Whether w is an input of the network instead of the weight of two branches (guidance-distilled networks).
    embeds_guidance: bool = False

    def __init__(
        self, pipe: Any, size_px: int | None, device: torch.device, network_guidance: float | None = None
    ) -> None:
        self.pipe, self.device = pipe, device
        self.network = getattr(pipe, self.network_part)
        self.factor: int = 2 ** (len(pipe.vae.config.block_out_channels) - 1)
        self.size_px = size_px or self.native_px()
        if self.size_px % self.cell_px():
            raise ValueError(
                f"image size {self.size_px} px is not a multiple of {self.cell_px()} px, the model's latent cell"
            )
        side = self.size_px // self.factor
        self.latent_shape: tuple[int, int, int] = (self.channels(), side, side)
        if network_guidance is not None and not self.takes_network_guidance():
            raise ValueError(f"{type(pipe).__name__}: this network has no guidance input for `network_guidance`")

    # --- shape --------------------------------------------------------------------------------------------------------

    def native_px(self) -> int:
        """Image side where the options leave it open."""
        return int(self.network.config.sample_size) * self.factor

    def cell_px(self) -> int:
        """Image sizes are multiples of this."""
        return self.factor

    def channels(self) -> int:
        return int(self.network.config.in_channels)

    def takes_network_guidance(self) -> bool:
        return False

    # --- times --------------------------------------------------------------------------------------------------------

    def times(self, scheduler: Any, steps: int) -> dict[str, Any]:
        """What the stock pipeline gives `set_timesteps` besides steps and device: `mu`, `sigmas`."""
        return {}

    def begin(self, scheduler: Any) -> None:
        """Tell the scheduler what the stock pipeline tells it before its loop: here nothing."""
        return

    # --- calls --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def conditions(self, prompt: str) -> tuple[Condition, Condition]:
        """The conditional and the negative condition of one prompt, batch 1."""

    @abstractmethod
    def denoise(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        """Raw output (B, C, h, w) for network inputs x (B, C, h, w)."""

    # --- scale of latents ---------------------------------------------------------------------------------------------

    def unscaled(self, z: Tensor) -> Tensor:
        """What the decoder takes, from a latent of the sampler."""
        result: Tensor = z / self.pipe.vae.config.scaling_factor
        return result

    def scaled(self, z: Tensor) -> Tensor:
        """A latent of the sampler, from what the encoder gives."""
        result: Tensor = z * self.pipe.vae.config.scaling_factor
        return result


def resolution_shift(scheduler: Any, patches: int, max_shift: float) -> dict[str, float]:
    """`mu` of flow schedulers whose shift depends on the resolution; empty for the others.

    patches    network tokens of an image;  max_shift  the stock pipeline's own fallback
    The line through (base_image_seq_len, base_shift) and (max_image_seq_len, max_shift) at `patches`.
    """
    config = scheduler.config
    if not config.get("use_dynamic_shifting", False):
        return {}
    x0, x1 = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    y0, y1 = config.get("base_shift", 0.5), config.get("max_shift", max_shift)
    slope = (y1 - y0) / (x1 - x0)
    return {"mu": patches * slope + (y0 - slope * x0)}
