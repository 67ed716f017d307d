"""Stable Diffusion 1.x and 2.x (ε- or v-prediction), and SDXL with its second encoder and size conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.models.diffusion.family import Family
from harness.models.diffusion.hooks import Condition

if TYPE_CHECKING:
    from torch import Tensor


class StableDiffusion(Family):
    """One text encoder, U-Net, VP schedule. Whether ε or v is predicted stands in the scheduler's configuration."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if self.network.config.get("time_cond_proj_dim") is not None:
            raise ValueError("guidance-distilled U-Nets (time_cond_proj_dim, LCM) are not supported")

    def conditions(self, prompt: str) -> tuple[Condition, Condition]:
        positive, negative = self.pipe.encode_prompt(
            prompt, device=self.device, num_images_per_prompt=1, do_classifier_free_guidance=True
        )
        return Condition(positive), Condition(negative)

    def denoise(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        return self._call(x, timestep, condition, None)

    def _call(self, x: Tensor, timestep: Tensor, condition: Condition, added: dict[str, Any] | None) -> Tensor:
        output: Tensor = self.network(
            x,
            timestep,
            encoder_hidden_states=condition.embeddings,
            added_cond_kwargs=added,
            return_dict=False,
        )[0]
        return output


class StableDiffusionXl(StableDiffusion):
    """Two text encoders (the second pooled), and time ids that tell the network the image's size."""

    text_parts = ("text_encoder", "text_encoder_2")
    lifts_vae = True

    def begin(self, scheduler: Any) -> None:
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(0)

    def conditions(self, prompt: str) -> tuple[Condition, Condition]:
        positive, negative, pooled, negative_pooled = self.pipe.encode_prompt(
            prompt=prompt,
            prompt_2=None,
            device=self.device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=True,
        )
        extra = {"time_ids": self._time_ids(positive, pooled)}
        return Condition(positive, pooled, extra), Condition(negative, negative_pooled, extra)

    def _time_ids(self, embeddings: Tensor, pooled: Tensor) -> Tensor:
        size = (self.size_px, self.size_px)
        second = self.pipe.text_encoder_2
        width = int(pooled.shape[-1]) if second is None else second.config.projection_dim
        ids: Tensor = self.pipe._get_add_time_ids(
            size, (0, 0), size, dtype=embeddings.dtype, text_encoder_projection_dim=width
        )
        return ids.to(self.device)

    def denoise(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        added = {"text_embeds": condition.pooled, "time_ids": condition.extra["time_ids"]}
        return self._call(x, timestep, condition, added)

    def unscaled(self, z: Tensor) -> Tensor:
        if (given := self._statistics(z)) is None:
            return super().unscaled(z)
        mean, std = given
        result: Tensor = z * std / self.pipe.vae.config.scaling_factor + mean
        return result

    def scaled(self, z: Tensor) -> Tensor:
        if (given := self._statistics(z)) is None:
            return super().scaled(z)
        mean, std = given
        result: Tensor = (z - mean) * self.pipe.vae.config.scaling_factor / std
        return result

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor] | None:
        """Mean and std of the latents (1, C, 1, 1), where the autoencoder states them."""
        import torch

        config = self.pipe.vae.config
        if config.get("latents_mean") is None or config.get("latents_std") is None:
            return None
        mean, std = (torch.tensor(config[k]).view(1, -1, 1, 1).to(like) for k in ("latents_mean", "latents_std"))
        return mean, std
