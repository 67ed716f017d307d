"""Training an AutoencoderKL on small pictures: L1, multi-scale gradients, a touch of KL; no adversary."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from harness.keys import generator

Log = Callable[[str], None]


@dataclass(frozen=True)
class AutoencoderRecipe:
    """What fixes a training: widths, batch, peak learning rate, KL weight (per latent value), focus and EMA decay.

    focus: extra weight of the loss inside the central window (rows and columns as shares of the side).
    """

    block_out_channels: tuple[int, ...]
    batch: int = 16
    learning_rate: float = 1.5e-3
    kl_weight: float = 2e-4
    focus: float = 1.0
    focus_window: tuple[float, float, float, float] = (0.05, 0.72, 0.2, 0.8)
    decay: float = 0.998
    warmup: int = 200


def build(recipe: AutoencoderRecipe, size_px: int, seed: int) -> AutoencoderKL:
    """An untrained autoencoder whose latents have 4 channels and 2^(levels-1) times fewer pixels a side."""
    levels = len(recipe.block_out_channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(seed, "training", "autoencoder").integers(2**31)))
        return AutoencoderKL(
            block_out_channels=recipe.block_out_channels,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=8,
            sample_size=size_px,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
        )


def _gradients(difference: Tensor) -> Tensor:
    dx = (difference[..., :, 1:] - difference[..., :, :-1]).abs().mean()
    dy = (difference[..., 1:, :] - difference[..., :-1, :]).abs().mean()
    return dx + dy


def loss_of(vae: AutoencoderKL, images: Tensor, noise: Tensor, weight: Tensor, kl_weight: float) -> Tensor:
    """Training loss of images (B, 3, H, W) in [-1, 1]; noise has the latents' shape, weight is (H, W)."""
    posterior = vae.encode(images).latent_dist
    latents = posterior.mean + posterior.std * noise
    difference = (vae.decode(latents).sample - images).float()
    value = (difference.abs() * weight).mean() + 0.5 * _gradients(difference)
    value = value + 0.5 * _gradients(torch.nn.functional.avg_pool2d(difference, 2))
    mean, logvar = posterior.mean.float(), posterior.logvar.float()
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    loss: Tensor = value + kl_weight * kl
    return loss


def train(
    images: NDArray[np.uint8],
    recipe: AutoencoderRecipe,
    steps: int,
    seed: int,
    device: torch.device,
    log: Log,
    checkpoint: Path,
    compile_loss: bool = True,
    stop_at: float | None = None,
    initial: AutoencoderKL | None = None,
) -> AutoencoderKL:
    """The trained autoencoder (EMA weights, float32) of images (N, H, W, 3) uint8; resumes from `checkpoint`.

    The learning rate follows a cosine over `steps`. initial: weights to begin with (a second phase), untrained ones
    where None. stop_at: time.time() after which the schedule is hurried to its
    end (the remaining steps are dropped, the last 10 per cent of the cosine is run); None runs all steps.
    """
    size = images.shape[1]
    vae = initial if initial is not None else build(recipe, size, seed)
    vae = vae.requires_grad_(True).train().to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(vae)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    done = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        vae.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        done = int(state["step"])
    weight = torch.ones(size, size, device=device)
    top, bottom, left, right = (round(v * size) for v in recipe.focus_window)
    weight[top:bottom, left:right] += recipe.focus
    compute = torch.compile(loss_of) if compile_loss else loss_of
    latent = (
        recipe.batch,
        4,
        size >> (len(recipe.block_out_channels) - 1),
        size >> (len(recipe.block_out_channels) - 1),
    )
    started, running = time.time(), 0.0
    step = done
    while step < steps:
        if stop_at is not None and time.time() > stop_at and step < int(0.92 * steps):
            log(f"autoencoder: out of time at step {step}, running the end of the schedule")
            step = int(0.92 * steps)
        g = generator(seed, "training", "autoencoder", step)
        rows = g.integers(len(images), size=recipe.batch)
        noise = torch.from_numpy(g.standard_normal(latent, dtype=np.float32)).to(device)
        x = torch.from_numpy(images[rows]).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        rate = recipe.learning_rate * min(1.0, (step + 1) / recipe.warmup) * 0.5 * (1 + np.cos(np.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = max(float(rate), 1e-6)
        with torch.autocast(device.type, torch.bfloat16):
            value = compute(vae, x.contiguous(memory_format=torch.channels_last), noise, weight, recipe.kl_weight)
        optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        decay = min(recipe.decay, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(vae.parameters()), 1 - decay)
        running = 0.98 * running + 0.02 * float(value.detach()) if running else float(value.detach())
        step += 1
        if step % 100 == 0:
            log(f"autoencoder: step {step}/{steps} loss {running:.4f} {100 / (time.time() - started):.2f} steps/s")
            started = time.time()
        if step % 500 == 0 or step == steps:
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            torch.save(
                {
                    "model": vae.state_dict(),
                    "average": average.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "step": step,
                },
                checkpoint,
            )
    return average.to(memory_format=torch.contiguous_format).eval().requires_grad_(False)


@torch.no_grad()
def encode(vae: AutoencoderKL, images: NDArray[np.uint8], device: torch.device, batch: int = 64) -> Tensor:
    """Posterior means (N, 4, h, w) float32 on the CPU, not scaled, of images (N, H, W, 3) uint8."""
    parts = []
    for start in range(0, len(images), batch):
        x = torch.from_numpy(images[start : start + batch]).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        parts.append(vae.encode(x).latent_dist.mean.float().cpu())
    return torch.cat(parts)


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: Tensor, device: torch.device, batch: int = 64) -> NDArray[np.uint8]:
    """Images (N, H, W, 3) uint8 of latents (N, 4, h, w), not scaled."""
    parts = []
    for start in range(0, len(latents), batch):
        y = vae.decode(latents[start : start + batch].to(device)).sample.float().cpu()
        parts.append(((y.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return np.concatenate(parts)
