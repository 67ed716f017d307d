"""Components of a diffusers pipeline behind one interface: encode prompts, call the denoiser, decode, encode images.

Three classes of pipeline: Stable Diffusion 1.x/2.x, SDXL, Stable Diffusion 3. Each call is the stock pipeline's own
(same arguments, same order of operations), so that the loop over it equals the pipeline bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from harness.models.diffusion.hooks import Condition
from harness.models.diffusion.timetable import SCHEDULERS, Scaling, Timetable, UnsupportedScheduler, timetable

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Denoiser(Protocol):
    """What the loop needs of a model. `Diffusion` below is the one over diffusers; tests bring analytic ones.

    latent_shape     (C, h, w) of an item
    steps, guidance  the model's defaults; guidance w of y_u + w (y_c - y_u)
    fingerprint      names everything of the model that changes a latent, for caches of derived arrays
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


FAMILIES: dict[str, str] = {
    "StableDiffusionPipeline": "sd",
    "StableDiffusionXLPipeline": "sdxl",
    "StableDiffusion3Pipeline": "sd3",
}


@dataclass
class Diffusion:
    """A loaded pipeline.

    scheduler_name  "own" or a key of timetable.SCHEDULERS
    size_px         side of the (square) images
    """

    pipe: Any
    steps: int
    guidance: float
    scheduler_name: str = "own"
    size_px: int | None = None
    fingerprint: str = ""
    family: str = field(init=False)

    def __post_init__(self) -> None:
        name = type(self.pipe).__name__
        if name not in FAMILIES:
            raise ValueError(f"pipeline {name} is not supported; supported: {', '.join(FAMILIES)}")
        self.family = FAMILIES[name]
        self.network = self.pipe.transformer if self.family == "sd3" else self.pipe.unet
        if self.network.config.get("time_cond_proj_dim") is not None:
            raise ValueError("guidance-distilled networks (time_cond_proj_dim) are not supported")
        factor = self.pipe.vae_scale_factor
        default = self.network.config.sample_size * factor
        self.size_px = self.size_px or default
        cell = factor * (self.network.config.patch_size if self.family == "sd3" else 1)
        if self.size_px % cell:
            raise ValueError(f"image size {self.size_px} px is not a multiple of {cell} px, the model's latent cell")
        side = self.size_px // factor
        self.latent_shape = (int(self.network.config.in_channels), side, side)
        self.device: torch.device = self.network.device
        self.dtype: torch.dtype = self.network.dtype
        self.timetable(self.steps)  # an unsupported scheduler is an error of opening, not of sampling

    # --- times ----------------------------------------------------------------------------------------------------

    def fresh_scheduler(self) -> Any:
        """A scheduler of the asked kind with the model's own noise schedule. Raises UnsupportedScheduler."""
        import diffusers

        own = self.pipe.scheduler
        if self.scheduler_name == "own":
            return type(own).from_config(own.config)
        name, changes = SCHEDULERS[self.scheduler_name]
        if (self.family == "sd3") != (name.startswith("FlowMatch")):
            raise UnsupportedScheduler(
                f"scheduler {self.scheduler_name!r} does not fit a model that predicts "
                f"{'a flow velocity' if self.family == 'sd3' else own.config.prediction_type}"
            )
        return getattr(diffusers, name).from_config(own.config, **changes)

    def timetable(self, steps: int) -> Timetable:
        eta = 1.0 if self.scheduler_name == "ddim_eta1" else 0.0
        scheduler = self.fresh_scheduler()
        table = timetable(scheduler, steps, self.device, eta=eta, mu=self._shift(scheduler))
        if (self.family == "sd3") != (table.scaling is Scaling.FLOW):
            raise UnsupportedScheduler(f"{type(scheduler).__name__} does not fit a {self.family} pipeline")
        if self.family == "sdxl" and hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(0)
        return table

    def _shift(self, scheduler: Any) -> float | None:
        if not scheduler.config.get("use_dynamic_shifting", False):
            return None
        from diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3 import calculate_shift

        patches = (self.latent_shape[1] // self.network.config.patch_size) ** 2
        config = scheduler.config
        shift: float = calculate_shift(
            patches,
            config.get("base_image_seq_len", 256),
            config.get("max_image_seq_len", 4096),
            config.get("base_shift", 0.5),
            config.get("max_shift", 1.16),
        )
        return shift

    # --- text -----------------------------------------------------------------------------------------------------

    def conditions(self, prompt: str) -> tuple[Condition, Condition]:
        arguments: dict[str, Any] = {
            "device": self.device,
            "num_images_per_prompt": 1,
            "do_classifier_free_guidance": True,
        }
        if self.family == "sd":
            positive, negative = self.pipe.encode_prompt(prompt, **arguments)
            return Condition(positive), Condition(negative)
        second = {f"prompt_{i}": None for i in ((2, 3) if self.family == "sd3" else (2,))}
        encoded = self.pipe.encode_prompt(prompt=prompt, **second, **arguments)
        positive, negative, pooled, negative_pooled = encoded
        extra = {"time_ids": self._time_ids(positive, pooled)} if self.family == "sdxl" else {}
        return Condition(positive, pooled, extra), Condition(negative, negative_pooled, extra)

    def _time_ids(self, embeddings: Tensor, pooled: Tensor) -> Tensor:
        assert self.size_px is not None
        size = (self.size_px, self.size_px)
        second = self.pipe.text_encoder_2
        width = int(pooled.shape[-1]) if second is None else second.config.projection_dim
        ids: Tensor = self.pipe._get_add_time_ids(
            size, (0, 0), size, dtype=embeddings.dtype, text_encoder_projection_dim=width
        )
        return ids.to(self.device)

    # --- network --------------------------------------------------------------------------------------------------

    def denoise(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        if self.family == "sd3":
            velocity: Tensor = self.network(
                hidden_states=x,
                timestep=timestep.expand(x.shape[0]),
                encoder_hidden_states=condition.embeddings,
                pooled_projections=condition.pooled,
                return_dict=False,
            )[0]
            return velocity
        added = None
        if self.family == "sdxl":
            added = {"text_embeds": condition.pooled, "time_ids": condition.extra["time_ids"]}
        noise: Tensor = self.network(
            x,
            timestep,
            encoder_hidden_states=condition.embeddings,
            added_cond_kwargs=added,
            return_dict=False,
        )[0]
        return noise

    # --- pixels ---------------------------------------------------------------------------------------------------

    def decode(self, latents: Tensor) -> Tensor:
        vae = self.pipe.vae
        with _InRange(self.pipe):
            z = latents.to(next(vae.decoder.parameters()).dtype)
            image: Tensor = vae.decode(self._affine(z)[0], return_dict=False)[0]
        return (image * 0.5 + 0.5).clamp(0, 1).float()

    def encode(self, images: Tensor) -> Tensor:
        vae = self.pipe.vae
        with _InRange(self.pipe):
            pixels = (images * 2.0 - 1.0).to(self.device, next(vae.encoder.parameters()).dtype)
            mean: Tensor = vae.encode(pixels).latent_dist.mean
        return self._affine(mean.float())[1]

    def _affine(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """z taken as a scaled latent and unscaled; z taken as a raw latent and scaled."""
        import torch

        config = self.pipe.vae.config
        scale = config.scaling_factor
        if self.family == "sd3":
            return (z / scale) + config.shift_factor, (z - config.shift_factor) * scale
        if config.get("latents_mean") is not None and config.get("latents_std") is not None:
            mean = torch.tensor(config.latents_mean).view(1, -1, 1, 1).to(z)
            std = torch.tensor(config.latents_std).view(1, -1, 1, 1).to(z)
            return z * std / scale + mean, (z - mean) * scale / std
        return z / scale, z * scale


class _InRange:
    """SDXL's VAE overflows in float16: it runs in float32 inside, and goes back."""

    def __init__(self, pipe: Any) -> None:
        import torch

        self.vae = pipe.vae
        self.lift = self.vae.dtype == torch.float16 and bool(self.vae.config.get("force_upcast"))
        self.before: Callable[[], Any] = lambda: self.vae.to(dtype=torch.float16)

    def __enter__(self) -> None:
        if self.lift:
            self.vae.float()

    def __exit__(self, *_: object) -> None:
        if self.lift:
            self.before()
