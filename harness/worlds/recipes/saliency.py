"""A last phase of autoencoder training that weighs the pixels in which expressions and glasses differ.

Mouth and eyes are a few dark pixels among 4096; an unweighted loss leaves them for last. The world knows which pixels
they are: those that change when the portrait is drawn with another expression or other glasses.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from harness.keys import generator
from harness.worlds.avatars.attributes import BY_NAME, Portraits
from harness.worlds.avatars.draw import render


@dataclass(frozen=True)
class SaliencyRecipe:
    """What fixes the phase: portraits used, batch, peak learning rate, weights of the loss, EMA decay."""

    portraits: int = 8000
    batch: int = 16
    learning_rate: float = 8e-4
    weight: float = 10.0
    square_weight: float = 2.0
    kl_weight: float = 1e-4
    decay: float = 0.99
    latent_noise: float = 0.08  # added to given latents, whose standard deviation is about 2


def masks(portraits: Portraits, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How much each pixel (N, 64, 64) changes with expression and glasses, 0..255."""
    change = np.zeros(images.shape[:3], dtype=np.uint8)
    for name, shift in (("expression", 1), ("expression", 2), ("glasses", 1)):
        k = len(BY_NAME[name].classes)
        labels = {**portraits.labels, name: (portraits.labels[name] + shift) % k}
        other = render(replace(portraits, labels=labels))
        change = np.maximum(change, np.abs(other.astype(np.int16) - images).max(-1).astype(np.uint8))
    return change


def train(
    vae: AutoencoderKL,
    portraits: Portraits,
    images: NDArray[np.uint8],
    recipe: SaliencyRecipe,
    steps: int,
    seed: int,
    device: torch.device,
    log: Callable[[str], None],
    latents: Tensor | None = None,
    stop_at: float | None = None,
) -> tuple[AutoencoderKL, int]:
    """The autoencoder trained on (averaged over the end) and the steps taken; images are (N, 64, 64, 3) uint8.

    The learning rate falls linearly over the second half of the steps, or of the time where stop_at comes first.
    latents: (N, 4, 8, 8) unscaled posterior means; when given, only the decoder learns and the latents stay valid.
    """
    part = slice(0, recipe.portraits)
    images, change = images[part], masks(portraits[part], images[part])
    vae = vae.to(device, memory_format=torch.channels_last).requires_grad_(True).train()
    if latents is not None:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    average = copy.deepcopy(vae)
    parameters = [p for p in vae.parameters() if p.requires_grad]
    averages = [p for p in average.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    started, running, step, done = time.time(), 0.0, 0, 0.0
    while step < steps and done < 1:
        g = generator(seed, "training", "saliency", step)
        rows = g.integers(len(images), size=recipe.batch)
        x = torch.from_numpy(images[rows]).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        x = x.contiguous(memory_format=torch.channels_last)
        weight = 1 + recipe.weight * (torch.from_numpy(change[rows]).to(device).float() / 85).clamp(max=1)[:, None]
        spent = (time.time() - started) / (stop_at - started) if stop_at else 0.0
        done = max(step / steps, spent)
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * min(1.0, (step + 1) / 30, max(2 * (1 - done), 0.02))
        with torch.autocast(device.type, torch.bfloat16):
            kl = torch.zeros((), device=device)
            if latents is None:
                posterior = vae.encode(x).latent_dist
                noise = torch.from_numpy(g.standard_normal(tuple(posterior.mean.shape), dtype=np.float32)).to(device)
                z, logvar = posterior.mean + posterior.std * noise, posterior.logvar.float()
                kl = 0.5 * (posterior.mean.float().square() + logvar.exp() - 1 - logvar).mean()
            else:
                z = latents[torch.from_numpy(rows)].to(device)
                z = z + recipe.latent_noise * torch.from_numpy(g.standard_normal(tuple(z.shape), dtype=np.float32)).to(
                    device
                )
            difference = (vae.decode(z).sample - x).float()
        dx, dy = difference[..., 1:] - difference[..., :-1], difference[..., 1:, :] - difference[..., :-1, :]
        errors = (weight * (difference.abs() + recipe.square_weight * difference.square())).mean()
        loss = errors + 0.5 * (dx.abs().mean() + dy.abs().mean()) + recipe.kl_weight * kl
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, parameters, 1 - min(recipe.decay, (step + 1) / (step + 10)))
        value = float(loss.detach())
        running = 0.97 * running + 0.03 * value if running else value
        step += 1
        if step % 50 == 0:
            speed = step / (time.time() - started)
            log(f"saliency: step {step} ({100 * done:.0f} %) loss {running:.4f} {speed:.2f} steps/s")
    return average.to(memory_format=torch.contiguous_format).eval().requires_grad_(False), step
