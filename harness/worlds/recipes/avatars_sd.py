"""Recipe of avatars-sd: autoencoder, tokenizer and text encoder, then the text-conditional U-Net.

`python -m harness.worlds.recipes.avatars_sd --out DIR` runs all stages; each keeps a checkpoint in --work, so an
interrupted run continues. `--stage export` writes the pipeline from what there is.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from transformers import CLIPTextModel, CLIPTokenizer

from harness.keys import generator
from harness.worlds.avatars import captions, dataset
from harness.worlds.avatars.attributes import ATTRIBUTES, CHARACTER_NAMES, OCCUPATION_NAMES, Portraits
from harness.worlds.avatars.draw import render
from harness.worlds.recipes import autoencoder, card, denoiser, saliency, text

SEED = 0
NAME = "avatars-sd"
VAE_RECIPE = autoencoder.AutoencoderRecipe(block_out_channels=(16, 32, 64, 128))
VAE_STEPS = 5600
# A second phase looks harder at eyes and mouth.
FACE_RECIPE = autoencoder.AutoencoderRecipe(
    block_out_channels=(16, 32, 64, 128),
    learning_rate=1.0e-3,
    kl_weight=1e-4,
    focus=4.0,
    focus_window=(0.33, 0.68, 0.22, 0.78),
    warmup=50,
)
FACE_STEPS = 2000
SALIENCY_RECIPE = saliency.SaliencyRecipe()
SALIENCY_STEPS = 1000
# The same once more at the end, with the encoder fixed.
DECODER_RECIPE = saliency.SaliencyRecipe(portraits=12_000, batch=24, learning_rate=1e-3, weight=6.0, decay=0.99)
DECODER_STEPS = 1500
TEXT_WIDTH, TEXT_LAYERS, TEXT_LENGTH, TEXT_STEPS, TEXT_BATCH = 128, 3, 48, 700, 128
UNET_RECIPE = denoiser.DenoiserRecipe(block_out_channels=(64, 128), sample_size=8)
UNET_STEPS = 16_000
COMPILE = True
DETAILS: tuple[tuple[captions.Detail, float], ...] = (("full", 0.5), ("partial", 0.3), ("open", 0.2))


def log(message: str) -> None:
    """Prints a line with the time of day."""
    print(time.strftime("%H:%M:%S"), message, flush=True)


def draw_captions(portraits: Portraits, g: np.random.Generator) -> list[str]:
    """One caption a portrait, its detail drawn from `DETAILS`."""
    detail = g.choice(len(DETAILS), size=len(portraits), p=[share for _, share in DETAILS])
    return [captions.caption(portraits[np.array([i])], g, DETAILS[int(d)][0])[0] for i, d in enumerate(detail)]


def statements(texts: list[str]) -> NDArray[np.int64]:
    """What captions state, (B, A + 2) int64: each attribute, occupation and character; K for what is not stated."""
    out = np.empty((len(texts), len(ATTRIBUTES) + 2), dtype=np.int64)
    for row, caption in enumerate(texts):
        said = captions.given(caption)
        looks = captions.expected(caption)
        for a, attribute in enumerate(ATTRIBUTES):
            out[row, a] = attribute.index(looks[attribute.name]) if attribute.name in looks else len(attribute.classes)
        occupation, character = said.get("occupation"), said.get("character")
        out[row, -2] = OCCUPATION_NAMES.index(occupation) if occupation else len(OCCUPATION_NAMES)
        out[row, -1] = CHARACTER_NAMES.index(character) if character else len(CHARACTER_NAMES)
    return out


def images_of(work: Path, portraits: Portraits) -> NDArray[np.uint8]:
    """The training pictures (N, 64, 64, 3), kept in `work`."""
    path = work / "images.npy"
    if path.exists():
        stored: NDArray[np.uint8] = np.load(path)
        return stored
    images = render(portraits)
    work.mkdir(parents=True, exist_ok=True)
    np.save(path, images)
    return images


def train_autoencoder(work: Path, portraits: Portraits, steps: int, device: torch.device, minutes: float) -> None:
    """Stage 1; writes work/vae with the scaling factor set to one over the latents' standard deviation."""
    if (work / "latents.pt").exists():
        return
    images = images_of(work, portraits)
    if (work / "vae").exists():
        vae = AutoencoderKL.from_pretrained(work / "vae").to(device)
    else:
        stop = time.time() + 60 * minutes if minutes else None
        vae = autoencoder.train(images, VAE_RECIPE, steps, SEED, device, log, work / "vae.pt", stop_at=stop)
        vae = autoencoder.train(images, FACE_RECIPE, FACE_STEPS, SEED + 1, device, log, work / "vae2.pt", initial=vae)
        vae, _ = saliency.train(vae, portraits, images, SALIENCY_RECIPE, SALIENCY_STEPS, SEED + 2, device, log)
    latents = autoencoder.encode(vae, images, device)
    vae.register_to_config(scaling_factor=float(1 / latents.std()))
    vae.save_pretrained(work / "vae")
    torch.save(latents * vae.config.scaling_factor, work / "latents.pt")
    log(f"autoencoder: latents' std {float(latents.std()):.3f}, per channel {latents.std(dim=(0, 2, 3)).tolist()}")


def train_decoder(work: Path, portraits: Portraits, steps: int, device: torch.device, minutes: float) -> int:
    """Stage 4; sharpens the decoder alone, so that latents stay what they are. Writes work/vae_final; steps taken."""
    vae = AutoencoderKL.from_pretrained(work / "vae").to(device)
    latents = torch.load(work / "latents.pt", weights_only=True) / vae.config.scaling_factor
    stop = time.time() + 60 * minutes if minutes else None
    images = images_of(work, portraits)
    vae, taken = saliency.train(
        vae, portraits, images, DECODER_RECIPE, steps, SEED + 3, device, log, latents=latents, stop_at=stop
    )
    vae.save_pretrained(work / "vae_final")
    return taken


def train_text(work: Path, portraits: Portraits, device: torch.device) -> None:
    """Stage 2; writes work/tokenizer and work/text_encoder."""
    if (work / "text_encoder").exists():
        return
    tokenizer = text.build_tokenizer(captions.words(), TEXT_LENGTH, work / "tokenizer")
    encoder = text.build_encoder(tokenizer, TEXT_WIDTH, TEXT_LAYERS, TEXT_LENGTH, SEED).to(device)

    def draw(step: int) -> tuple[list[str], NDArray[np.int64]]:
        g = generator(SEED, "training", "captions", step)
        texts = draw_captions(portraits[g.integers(len(portraits), size=TEXT_BATCH)], g)
        return texts, statements(texts)

    classes = [*(len(a.classes) for a in ATTRIBUTES), len(OCCUPATION_NAMES), len(CHARACTER_NAMES)]
    text.pretrain(encoder, tokenizer, draw, classes, TEXT_STEPS, SEED, device, log)
    encoder.save_pretrained(work / "text_encoder")


def train_denoiser(
    work: Path, portraits: Portraits, steps: int, device: torch.device, minutes: float, out: Path
) -> int:
    """Stage 3; returns the steps taken. Exports the averaged weights to `out` now and then."""
    latents = torch.load(work / "latents.pt", weights_only=True)
    tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
    encoder = CLIPTextModel.from_pretrained(work / "text_encoder").to(device)
    encoder.requires_grad_(False)  # it reads captions without error by now, and costs a fifth of a step to train on
    unet = denoiser.build(UNET_RECIPE, TEXT_WIDTH, SEED).to(device)
    log(f"denoiser: {sum(p.numel() for p in unet.parameters()) / 1e6:.2f} M parameters")
    training = denoiser.Training.start(unet, encoder, UNET_RECIPE)
    checkpoint = work / "denoiser.pt"
    if checkpoint.exists():
        training.restore(checkpoint, device)
        log(f"denoiser: continues at step {training.step}")

    def texts(rows: NDArray[np.int64], g: np.random.Generator) -> list[str]:
        return draw_captions(portraits[rows], g)

    def snapshot(state: denoiser.Training) -> None:
        export(work, out, state)

    stop = time.time() + 60 * minutes if minutes else None
    taken = denoiser.train(
        training,
        latents,
        tokenizer,
        texts,
        UNET_RECIPE,
        steps,
        SEED,
        device,
        log,
        checkpoint,
        stop,
        snapshot,
        compile_loss=COMPILE,
    )
    export(work, out, training)
    return taken


def export(work: Path, out: Path, training: denoiser.Training | None = None, device: str = "cpu") -> None:
    """Writes the pipeline with averaged weights, float16 safetensors, and its card without measurements."""
    if training is None:
        encoder = CLIPTextModel.from_pretrained(work / "text_encoder")
        encoder.requires_grad_(False)
        training = denoiser.Training.start(denoiser.build(UNET_RECIPE, TEXT_WIDTH, SEED), encoder, UNET_RECIPE)
        training.restore(work / "denoiser.pt", torch.device("cpu"))
    parts = denoiser.pipeline(
        AutoencoderKL.from_pretrained(work / ("vae_final" if (work / "vae_final").exists() else "vae")),
        training.averaged_encoder,
        CLIPTokenizer.from_pretrained(work / "tokenizer"),
        training.averaged_unet,
    )
    denoiser.save_half(parts, out)
    card.write_card(out, description(training.step, device))
    log(f"export: {out.name} at step {training.step}")


def description(steps: int, device: str) -> dict[str, object]:
    """The card without measurements."""
    return {
        "kind": "diffusers StableDiffusionPipeline, 64x64, latent factor 8",
        "recipe": "harness.worlds.recipes.avatars_sd",
        "seed": SEED,
        "device": device,
        "steps": {"autoencoder": VAE_STEPS, "autoencoder_faces": FACE_STEPS, "text": TEXT_STEPS, "denoiser": steps},
        "batch": {"autoencoder": VAE_RECIPE.batch, "text": TEXT_BATCH, "denoiser": UNET_RECIPE.batch},
        "data": {
            "world": "avatars",
            "split": "training",
            "n": dataset.TRAINING_SIZE,
            "seed": dataset.TRAINING_SEED,
            "distribution": "training",
        },
        "storage": "float16",
        "prediction": "v_prediction",
        "sampling": {"steps": 20, "guidance": 4.0},
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
    parser.add_argument(
        "--stage", choices=("all", "autoencoder", "text", "denoiser", "decoder", "export"), default="all"
    )
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    name = options.device if options.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    portraits = dataset.load().portraits
    if options.stage in ("all", "autoencoder"):
        train_autoencoder(options.work, portraits, options.vae_steps, device, 0.0)
    if options.stage in ("all", "text"):
        train_text(options.work, portraits, device)
    if options.stage in ("all", "denoiser"):
        train_denoiser(options.work, portraits, options.steps, device, options.minutes, options.out)
    if options.stage in ("all", "decoder"):
        train_decoder(options.work, portraits, DECODER_STEPS, device, options.minutes)
    if options.stage in ("all", "decoder", "export"):
        export(options.work, options.out)


if __name__ == "__main__":
    main()
