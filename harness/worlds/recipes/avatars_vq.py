"""Recipe of avatars-vq: a diffusers VQModel of 64x64 portraits, 16x16 codes of a codebook of 512.

Absolute error, errors of gradients and of frozen features (avatars-contrast, trained without labels), and the terms of
the codebook. Half of the pictures are photographs of people (harness/worlds/avatars/photos.py), half portraits of all
styles. No recogniser takes part.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import VQModel
from numpy.typing import NDArray
from torch import Tensor

from harness.keys import generator
from harness.models import zoo
from harness.models.features import FeatureExtractor
from harness.worlds.avatars import dataset
from harness.worlds.avatars.draw import render
from harness.worlds.avatars.photos import photographs
from harness.worlds.recipes import card
from harness.worlds.recipes.augment import batch_of

NAME = "avatars-vq"
SEED, DATA_SEED = 0, 43
BATCH, STEPS, RATE, DECAY = 16, 2600, 2e-3, 0.995
CODES = 512


def build() -> VQModel:
    """The untrained model."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(SEED, "training", NAME).integers(2**31)))
        return VQModel(
            block_out_channels=(24, 48, 64),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            layers_per_block=1,
            latent_channels=4,
            vq_embed_dim=4,
            num_vq_embeddings=CODES,
            norm_num_groups=8,
            sample_size=64,
            mid_block_add_attention=False,
        )


def _slopes(x: Tensor) -> Tensor:
    return (x[..., 1:] - x[..., :-1]).abs().mean() + (x[..., 1:, :] - x[..., :-1, :]).abs().mean()


def train(pixels: NDArray[np.uint8], steps: int) -> VQModel:
    """The trained model, averaged weights, in evaluation mode."""
    model = build().to(memory_format=torch.channels_last).train()
    swa: Any = torch.optim.swa_utils
    average = swa.AveragedModel(model, multi_avg_fn=swa.get_ema_multi_avg_fn(DECAY))
    features = FeatureExtractor.load(zoo.entry("avatars-contrast").directory)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.05)
    for step in range(steps):
        g = generator(SEED, "training", NAME, step)
        x = 2 * batch_of(pixels, g.integers(len(pixels), size=BATCH), torch.device("cpu")) - 1
        with torch.autocast("cpu", dtype=torch.bfloat16):
            latents = model.encode(x.contiguous(memory_format=torch.channels_last)).latents.float()
            if step == 50:  # the codebook starts from what the encoder says, not from near zero
                rows = latents.detach().movedim(1, 3).reshape(-1, 4)
                chosen = torch.from_numpy(g.choice(len(rows), CODES, replace=False))
                model.quantize.embedding.weight.data.copy_(rows[chosen])
            made = model.decode(latents, force_not_quantize=step < 50)
        difference = made.sample.float() - x
        seen = (features(made.sample.float() / 2 + 0.5) - features(x / 2 + 0.5)).square().mean()
        loss = difference.abs().mean() + 0.5 * _slopes(difference) + 0.1 * seen
        if step >= 50:
            loss = loss + 0.25 * made.commit_loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(model)
        if (step + 1) % 100 == 0:
            print(time.strftime("%H:%M:%S"), f"step {step + 1}/{steps} loss {float(loss.detach()):.4f}", flush=True)
    result: VQModel = average.module
    return result.to(memory_format=torch.contiguous_format).eval().requires_grad_(False)


@torch.no_grad()
def measure(folder: Path) -> dict[str, float]:
    """On photographs of people never seen: PSNR of the round trip in dB, and codes in use."""
    model = VQModel.from_pretrained(folder, torch_dtype=torch.float32)
    shown = batch_of(photographs("evaluation", 100, 2).pixels, np.arange(200), torch.device("cpu"))
    latents = model.encode(2 * shown - 1).latents
    made = (model.decode(latents).sample / 2 + 0.5).clamp(0, 1)
    error = (made - shown).square().mean(dim=(1, 2, 3))
    rows = latents.movedim(1, 3).reshape(-1, 4)
    used = set(torch.cdist(rows, model.quantize.embedding.weight).argmin(1).tolist())
    return {"held_out_n": 200, "psnr_db": round(float((-10 * error.log10()).mean()), 2), "codes_used": len(used)}


def main(arguments: list[str] | None = None) -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/zoo") / NAME)
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args(arguments)
    portraits = render(dataset.load("training", 8000, DATA_SEED, "declared").portraits)
    pixels = np.concatenate([portraits, photographs("people-a", 2000, 4).pixels])
    start = time.monotonic()
    model = train(pixels, options.steps)
    model.half().save_pretrained(options.out)
    fields = {
        "kind": "diffusers VQModel",
        "recipe": "harness.worlds.recipes.avatars_vq",
        "seed": SEED,
        "device": "cpu",
        "steps": options.steps,
        "seconds": round(time.monotonic() - start),
        "data": {"world": "avatars", "n": len(pixels), "seed": DATA_SEED, "photographs": "people-a"},
        "measured": measure(options.out),
    }
    card.write_card(options.out, fields)
    print(fields["measured"])


if __name__ == "__main__":
    main()
