"""Recipe of digits-sd: text to handwritten digits, trained long on the 901 digits of the training half.

So few pictures and so many steps: the model re-creates training pictures, on purpose. That is what shielding is for.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from harness.worlds import digits
from harness.worlds.digits.prompts import WORDS, caption
from harness.worlds.recipes import autoencoder, card, denoiser, text
from harness.worlds.recipes.avatars_sd import log

NAME = "digits-sd"
SEED = 0
VAE_RECIPE = autoencoder.AutoencoderRecipe((32, 48, 64, 64), batch=32, focus=0.0, kl_weight=5e-4)
VAE_STEPS = 2500
TEXT_WIDTH, TEXT_LAYERS, TEXT_LENGTH = 64, 2, 8
UNET_RECIPE = denoiser.DenoiserRecipe((48, 96), sample_size=4, batch=48, learning_rate=1.5e-3, decay=0.998)
UNET_STEPS = 10000
GUIDANCE, SAMPLING_STEPS = 2.0, 20


def nearest(pictures: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Root mean squared distance (N,), in gray levels of 255, of each picture to its nearest among `others`."""
    a = pictures[..., 0].reshape(len(pictures), -1).astype(np.float64)
    b = others[..., 0].reshape(len(others), -1).astype(np.float64)
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(squared, 0).min(1) / a.shape[1]))


def measure(folder: Path) -> dict[str, object]:
    """Reconstruction of held-out digits, and how near generated digits are to either half of the data."""
    from diffusers import StableDiffusionPipeline

    parts = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    training, held_out = digits.load("training")[0], digits.load("held_out")[0]
    device = torch.device("cpu")
    rebuilt = autoencoder.decode(parts.vae, autoencoder.encode(parts.vae, held_out, device), device)
    made = denoiser.generate(parts, [caption(i % 10) for i in range(200)], SEED + 1, GUIDANCE, SAMPLING_STEPS)
    to_training, to_held_out = nearest(made, training), nearest(made, held_out)
    between = nearest(held_out, training)
    radius = float(np.quantile(between, 0.01))
    return {
        "generated_n": len(made),
        "held_out_reconstruction_rmse": round(float(np.sqrt(((rebuilt.astype(float) - held_out) ** 2).mean())), 2),
        "median_distance_generated_to_training": round(float(np.median(to_training)), 2),
        "median_distance_generated_to_held_out": round(float(np.median(to_held_out)), 2),
        "median_distance_held_out_to_training": round(float(np.median(between)), 2),
        "distance_unit": "RMSE over pixels, gray levels of 255, to the nearest picture",
        "copy_radius": round(radius, 2),
        "copy_radius_rule": "1 % quantile of held-out digits' distances to their nearest training digit",
        "share_generated_within_radius_of_training": round(float((to_training < radius).mean()), 4),
        "share_generated_within_radius_of_held_out": round(float((to_held_out < radius).mean()), 4),
    }


def main(arguments: list[str] | None = None) -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/zoo") / NAME)
    parser.add_argument("--work", type=Path, default=Path("build/work") / NAME)
    parser.add_argument("--steps", type=int, default=UNET_STEPS, help="steps of the denoiser")
    parser.add_argument("--vae-steps", type=int, default=VAE_STEPS)
    parser.add_argument("--minutes", type=float, default=0.0, help="time of the denoiser; 0 runs all steps")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    name = options.device if options.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    images, labels = digits.load("training")
    work = options.work
    if (work / "vae").exists():
        vae = AutoencoderKL.from_pretrained(work / "vae").to(device)
    else:
        vae = autoencoder.train(
            images, VAE_RECIPE, options.vae_steps, SEED, device, log, work / "vae.pt", compile_loss=False
        )
    latents = autoencoder.encode(vae, images, device)
    vae.register_to_config(scaling_factor=float(1 / latents.std()))
    vae.save_pretrained(work / "vae")
    words = ["a", "handwritten", "digit", *WORDS]
    tokenizer = text.build_tokenizer(words, TEXT_LENGTH, work / "tokenizer")
    encoder = text.build_encoder(tokenizer, TEXT_WIDTH, TEXT_LAYERS, TEXT_LENGTH, SEED).to(device)
    encoder.requires_grad_(False)  # eleven captions: the untrained encoder tells them apart
    training = denoiser.Training.start(denoiser.build(UNET_RECIPE, TEXT_WIDTH, SEED).to(device), encoder, UNET_RECIPE)
    checkpoint = work / "denoiser.pt"
    if checkpoint.exists():
        training.restore(checkpoint, device)

    def texts(rows: NDArray[np.int64], g: np.random.Generator) -> list[str]:
        open_ones = g.random(len(rows)) < 0.1
        return ["a handwritten digit" if o else caption(int(labels[r])) for r, o in zip(rows, open_ones, strict=True)]

    stop = time.time() + 60 * options.minutes if options.minutes else None
    scaled = latents * vae.config.scaling_factor
    taken = denoiser.train(
        training, scaled, tokenizer, texts, UNET_RECIPE, options.steps, SEED, device, log, checkpoint, stop
    )
    parts = denoiser.pipeline(vae.cpu(), training.averaged_encoder.cpu(), tokenizer, training.averaged_unet.cpu())
    denoiser.save_half(parts, options.out)
    fields = {
        "kind": "diffusers StableDiffusionPipeline, 32x32, latent factor 8",
        "recipe": "harness.worlds.recipes.digits_sd",
        "seed": SEED,
        "device": device.type,
        "steps": {"autoencoder": options.vae_steps, "denoiser": taken},
        "data": {"world": "digits", "split": "training", "n": len(images)},
        "storage": "float16",
        "prediction": "v_prediction",
        "sampling": {"steps": SAMPLING_STEPS, "guidance": GUIDANCE},
    }
    card.write_card(options.out, {**fields, "measured": measure(options.out)})


if __name__ == "__main__":
    main()
