"""Flux: a rectified flow over packed latents (2×2 patches as tokens), with or without distilled guidance.

What w means depends on the checkpoint:
* guidance-distilled (`guidance_embeds`, FLUX.1-dev): there is no unconditional branch. w is the network's own guidance
  input, one call a step; w = 1 is as near to the conditional model as distillation left it, w < 1 is refused.
* the same with the option `network_guidance` set: that value is the network's input, and w weighs two branches,
  y_u + w (y_c - y_u), the negative prompt being empty (the stock pipeline's `true_cfg_scale`).
* not distilled for guidance (FLUX.1-schnell and finetunes): w weighs two branches; 1, the default, saves a call.
The loop and all methods see unpacked latents (B, C, h, w), as for every other model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.models.diffusion.family import Family, resolution_shift
from harness.models.diffusion.hooks import Condition

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PATCH = 2  # latent cells a side of a token
TEXT_TOKENS = 512  # the stock pipeline's `max_sequence_length`


class Flux(Family):
    """One transformer over text and image tokens; T5 for the words, CLIP's pooled vector for the whole."""

    network_part = "transformer"
    text_parts = ("text_encoder", "text_encoder_2")
    flow = True

    def __init__(
        self, pipe: Any, size_px: int | None, device: torch.device, network_guidance: float | None = None
    ) -> None:
        super().__init__(pipe, size_px, device, network_guidance)
        self.network_guidance = network_guidance
        self.embeds_guidance = self.takes_network_guidance() and network_guidance is None

    def native_px(self) -> int:
        return int(self.pipe.default_sample_size) * self.factor

    def cell_px(self) -> int:
        return self.factor * PATCH

    def channels(self) -> int:
        return int(self.network.config.in_channels) // PATCH**2

    def takes_network_guidance(self) -> bool:
        return bool(self.network.config.guidance_embeds)

    def times(self, scheduler: Any, steps: int) -> dict[str, Any]:
        import numpy as np

        patches = (self.latent_shape[1] // PATCH) * (self.latent_shape[2] // PATCH)
        given: dict[str, Any] = resolution_shift(scheduler, patches, max_shift=1.15)
        if not scheduler.config.get("use_flow_sigmas", False):
            given["sigmas"] = np.linspace(1.0, 1 / steps, steps)
        return given

    def begin(self, scheduler: Any) -> None:
        scheduler.set_begin_index(0)

    def conditions(self, prompt: str) -> tuple[Condition, Condition]:
        positive, negative = (
            self.pipe.encode_prompt(
                prompt=text,
                prompt_2=None,
                device=self.device,
                num_images_per_prompt=1,
                max_sequence_length=TEXT_TOKENS,
            )[:2]
            for text in (prompt, "")
        )
        return Condition(*positive), Condition(*negative)

    def denoise(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        import torch

        count, channels, height, width = x.shape
        words = condition.embeddings
        velocity: Tensor = self.network(
            hidden_states=self.pipe._pack_latents(x, count, channels, height, width),
            timestep=timestep.expand(count).to(x.dtype) / 1000,
            guidance=self._guidance(count, condition),
            pooled_projections=condition.pooled,
            encoder_hidden_states=words,
            txt_ids=torch.zeros(words.shape[1], 3).to(device=x.device, dtype=words.dtype),
            img_ids=self.pipe._prepare_latent_image_ids(count, height // PATCH, width // PATCH, x.device, words.dtype),
            joint_attention_kwargs={},
            return_dict=False,
        )[0]
        unpacked: Tensor = self.pipe._unpack_latents(velocity, height * self.factor, width * self.factor, self.factor)
        return unpacked

    def _guidance(self, count: int, condition: Condition) -> Tensor | None:
        """(B,) float32, what the network is told; None where it has no such input."""
        import torch

        if self.embeds_guidance:
            told: Tensor = condition.extra["guidance"]
            return told
        if self.network_guidance is None:
            return None
        return torch.full([count], self.network_guidance, device=self.device, dtype=torch.float32)

    def unscaled(self, z: Tensor) -> Tensor:
        config = self.pipe.vae.config
        result: Tensor = (z / config.scaling_factor) + config.shift_factor
        return result

    def scaled(self, z: Tensor) -> Tensor:
        config = self.pipe.vae.config
        result: Tensor = (z - config.shift_factor) * config.scaling_factor
        return result
