"""A loaded diffusers pipeline behind one interface: encode prompts, call the denoiser, decode, encode images.

What differs between classes of pipeline is in one file a family (`family.py` lists them); what is here is the same for
all: the scheduler, where the parts are, the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from harness.models.diffusion.family import Family, family_of
from harness.models.diffusion.hooks import Condition
from harness.models.diffusion.placement import Offload, Placement
from harness.models.diffusion.timetable import SCHEDULERS, Scaling, Timetable, UnsupportedScheduler, timetable

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Denoiser(Protocol):
    """What the loop needs of a model. `Diffusion` below is the one over diffusers; tests bring analytic ones.

    latent_shape     (C, h, w) of an item
    steps, guidance  the model's defaults; guidance w of y_u + w (y_c - y_u)
    fingerprint      names everything of the model that changes a latent, for caches of derived arrays

    A model may also have `embeds_guidance`: True where w is an input of the network and no unconditional branch exists.
    """

    latent_shape: tuple[int, int, int]
    device: torch.device
    dtype: torch.dtype
    steps: int
    guidance: float
    fingerprint: str

    def conditions(self, prompt: str) -> tuple[Condition, Condition]:
        """The conditional and the negative condition of one prompt, batch 1. Encoded alone: no neighbour matters."""

    def timetable(self, steps: int) -> Timetable:
        """A fresh timetable."""

    def denoise(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        """The network's raw output for inputs x (B, C, h, w) as the scheduler scales them."""

    def decode(self, latents: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1]."""

    def encode(self, images: Tensor) -> Tensor:
        """(B, C, h, w) float32 clean latents of images (B, 3, H, W) in [0, 1]."""


@dataclass
class Diffusion:
    """A loaded pipeline.

    scheduler_name    "own" or a key of timetable.SCHEDULERS
    size_px           side of the (square) images
    network_guidance  value of the network's own guidance input, where w shall weigh two branches instead (flux.py)
    on                device; default: where the network is
    """

    pipe: Any
    steps: int
    guidance: float
    scheduler_name: str = "own"
    size_px: int | None = None
    fingerprint: str = ""
    network_guidance: float | None = None
    on: str | None = None
    offload: Offload = Offload.NOTHING
    family: Family = field(init=False)

    def __post_init__(self) -> None:
        import torch

        cls = family_of(self.pipe)
        network = getattr(self.pipe, cls.network_part)
        self.device: torch.device = torch.device(self.on) if self.on else network.device
        self.dtype: torch.dtype = network.dtype
        self.family = cls(self.pipe, self.size_px, self.device, self.network_guidance)
        self.size_px, self.latent_shape = self.family.size_px, self.family.latent_shape
        self.embeds_guidance = self.family.embeds_guidance
        text = [m for m in (getattr(self.pipe, p, None) for p in cls.text_parts) if m is not None]
        self.placement = Placement(
            {"text": text, "network": [network], "vae": [self.pipe.vae]}, self.device, Offload(self.offload)
        )
        self.timetable(self.steps)  # an unsupported scheduler is an error of opening, not of sampling

    # --- times ----------------------------------------------------------------------------------------------------

    def fresh_scheduler(self, **other: Any) -> Any:
        """A scheduler of the asked kind with the model's own noise schedule, `other` configuration laid over it.

        Raises UnsupportedScheduler.
        """
        import diffusers

        own = self.pipe.scheduler
        if self.scheduler_name == "own":
            return type(own).from_config(own.config, **other)
        name, changes = SCHEDULERS[self.scheduler_name]
        if self.family.flow != name.startswith("FlowMatch"):
            raise UnsupportedScheduler(
                f"scheduler {self.scheduler_name!r} does not fit a model that predicts "
                f"{'a flow velocity' if self.family.flow else own.config.prediction_type}"
            )
        return getattr(diffusers, name).from_config(own.config, **changes, **other)

    def timetable(self, steps: int, **other: Any) -> Timetable:
        """A fresh timetable; `other` is laid over the scheduler's configuration."""
        eta = 1.0 if self.scheduler_name == "ddim_eta1" else 0.0
        scheduler = self.fresh_scheduler(**other)
        table = timetable(scheduler, steps, self.device, eta=eta, **self.family.times(scheduler, steps))
        if self.family.flow != (table.scaling is Scaling.FLOW):
            raise UnsupportedScheduler(f"{type(scheduler).__name__} does not fit a {type(self.pipe).__name__}")
        self.family.begin(scheduler)
        return table

    # --- calls ----------------------------------------------------------------------------------------------------

    def conditions(self, prompt: str) -> tuple[Condition, Condition]:
        self.placement.need("text")
        return self.family.conditions(prompt)

    def denoise(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        self.placement.need("network")
        return self.family.denoise(x, timestep, condition)

    # --- pixels ---------------------------------------------------------------------------------------------------

    def decode(self, latents: Tensor) -> Tensor:
        self.placement.need("vae")
        vae = self.pipe.vae
        with _InRange(vae, self.family.lifts_vae):
            z = latents.to(next(vae.decoder.parameters()).dtype)
            image: Tensor = vae.decode(self.family.unscaled(z), return_dict=False)[0]
        return (image * 0.5 + 0.5).clamp(0, 1).float()

    def encode(self, images: Tensor) -> Tensor:
        self.placement.need("vae")
        vae = self.pipe.vae
        with _InRange(vae, self.family.lifts_vae):
            pixels = (images * 2.0 - 1.0).to(self.device, next(vae.encoder.parameters()).dtype)
            mean: Tensor = vae.encode(pixels).latent_dist.mean
        return self.family.scaled(mean.float())


class _InRange:
    """SDXL's VAE overflows in float16: it runs in float32 inside, and goes back."""

    def __init__(self, vae: Any, wanted: bool) -> None:
        import torch

        self.vae = vae
        self.lift = wanted and vae.dtype == torch.float16 and bool(vae.config.get("force_upcast"))

    def __enter__(self) -> None:
        import torch

        if self.lift:
            self.vae.to(dtype=torch.float32)

    def __exit__(self, *_: object) -> None:
        import torch

        if self.lift:
            self.vae.to(dtype=torch.float16)
