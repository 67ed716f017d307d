"""Stable Diffusion 3 and 3.5: a rectified flow over a transformer, up to three text encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.models.diffusion.family import Family, resolution_shift
from harness.models.diffusion.hooks import Condition

if TYPE_CHECKING:
    from torch import Tensor


class StableDiffusion3(Family):
    """Predicts the velocity v = ε - x0; latents have a shift besides their scale."""

    network_part = "transformer"
    text_parts = ("text_encoder", "text_encoder_2", "text_encoder_3")
    flow = True

    def cell_px(self) -> int:
        return self.factor * int(self.network.config.patch_size)

    def times(self, scheduler: Any, steps: int) -> dict[str, Any]:
        patches = (self.latent_shape[1] // self.network.config.patch_size) ** 2
        return resolution_shift(scheduler, patches, max_shift=1.16)

    def conditions(self, prompt: str) -> tuple[Condition, Condition]:
        positive, negative, pooled, negative_pooled = self.pipe.encode_prompt(
            prompt=prompt,
            prompt_2=None,
            prompt_3=None,
            device=self.device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=True,
        )
        return Condition(positive, pooled), Condition(negative, negative_pooled)

    def denoise(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        velocity: Tensor = self.network(
            hidden_states=x,
            timestep=timestep.expand(x.shape[0]),
            encoder_hidden_states=condition.embeddings,
            pooled_projections=condition.pooled,
            return_dict=False,
        )[0]
        return velocity

    def unscaled(self, z: Tensor) -> Tensor:
        config = self.pipe.vae.config
        result: Tensor = (z / config.scaling_factor) + config.shift_factor
        return result

    def scaled(self, z: Tensor) -> Tensor:
        config = self.pipe.vae.config
        result: Tensor = (z - config.shift_factor) * config.scaling_factor
        return result
