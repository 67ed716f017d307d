"""Recipe of avatars-features: 64 features from which layout, colors, identity and pose of a portrait can be read.

The targets are continuous: principal components of the shrunken picture and of its contours, the identity vector and
what varies within a person. No attribute label is used, and nothing of the attribute classifier.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.keys import generator
from harness.models.features import FeatureExtractor
from harness.worlds.avatars import dataset
from harness.worlds.avatars.attributes import Portraits
from harness.worlds.avatars.draw import render
from harness.worlds.recipes import card
from harness.worlds.recipes.augment import batch_of, disturb

NAME = "avatars-features"
SEED = 0
DATA_SEED = 12
TRAIN, HELD_OUT = 12_000, 2000
BATCH, STEPS, RATE = 96, 2200, 1.5e-3
COMPONENTS = 48


def shrunken(images: NDArray[np.uint8], cell_px: int) -> NDArray[np.float32]:
    """Mean colors and contour strength over cells of pictures (N, H, W, 3): (N, 4 * cells) float32."""
    x = images.astype(np.float32) / 255
    gray = x.mean(-1)
    contour = np.zeros_like(gray)
    contour[:, 1:, 1:] = np.abs(np.diff(gray, axis=1))[:, :, 1:] + np.abs(np.diff(gray, axis=2))[:, 1:]
    stack = np.concatenate([x, 2 * contour[..., None]], axis=-1)
    n, h, w, c = stack.shape
    return np.asarray(stack.reshape(n, h // cell_px, cell_px, w // cell_px, cell_px, c).mean((2, 4)).reshape(n, -1))


def components(values: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (F,) and the k leading principal directions (F, k) of values (N, F), by an exact eigendecomposition."""
    mean = values.mean(0)
    covariance = np.cov((values - mean).astype(np.float64), rowvar=False)
    _, vectors = np.linalg.eigh(covariance)
    return mean, np.asarray(vectors[:, ::-1][:, :k], dtype=np.float32)


def continuous(p: Portraits) -> NDArray[np.float32]:
    """Identity and within-person variation, (N, 16 + 8) float32."""
    columns = (p.identity, p.yaw[:, None], p.roll[:, None], p.offset, p.lighting, p.age[:, None], p.mood[:, None])
    return np.asarray(np.concatenate(columns, axis=1), dtype=np.float32)


def train(
    images: NDArray[np.uint8],
    targets: NDArray[np.float32],
    weights: NDArray[np.float32],
    steps: int,
    device: torch.device,
) -> tuple[FeatureExtractor, nn.Linear]:
    """Extractor and its linear reader of standardised targets (N, T), whose squared errors are weighted by (T,)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(SEED, "training", NAME).integers(2**31)))
        model = FeatureExtractor().to(device)
        reader = nn.Linear(model.dimension, targets.shape[1]).to(device)
        parameters = [*model.parameters(), *reader.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
        goal, scale = torch.from_numpy(targets).to(device), torch.from_numpy(weights).to(device)
        for step in range(steps):
            g = generator(SEED, "training", NAME, step)
            rows = g.integers(len(images), size=BATCH)
            features: Tensor = model(disturb(batch_of(images, rows, device), g, shift_px=1))
            error = reader(features) - goal[torch.from_numpy(rows).to(device)]
            spread = (features.std(0) - 1).square().mean() + features.mean(0).square().mean()
            loss = (error.square() * scale).mean() + 0.02 * spread
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            if (step + 1) % 100 == 0:
                print(time.strftime("%H:%M:%S"), f"step {step + 1}/{steps} loss {float(loss.detach()):.4f}", flush=True)
    return model.eval().requires_grad_(False), reader.requires_grad_(False)


def explained(predicted: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Mean over columns of the explained share of variance (R^2)."""
    residual = ((predicted - truth) ** 2).mean(0)
    return round(float((1 - residual / truth.var(0)).mean()), 4)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/zoo") / NAME)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    name = options.device if options.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    portraits = dataset.load("training", TRAIN, DATA_SEED, "declared").portraits
    images = render(portraits)
    mean, directions = components(shrunken(images, 4), COMPONENTS)
    raw = np.concatenate([(shrunken(images, 4) - mean) @ directions, continuous(portraits)], axis=1)
    centre, spread = raw.mean(0), raw.std(0)
    power = np.sqrt(spread[:COMPONENTS] / spread[0])
    weights = np.concatenate([0.3 + power, np.full(16, 0.25), np.full(8, 0.5)]).astype(np.float32)
    model, reader = train(images, (raw - centre) / spread, weights, options.steps, device)
    model.save(options.out)
    held_out = dataset.load("held_out", HELD_OUT, DATA_SEED, "declared").portraits
    pictures = render(held_out)
    truth = np.concatenate([(shrunken(pictures, 4) - mean) @ directions, continuous(held_out)], axis=1)
    features = model.extract(batch_of(pictures, np.arange(HELD_OUT), torch.device("cpu")))
    predicted = reader.cpu()(features).numpy() * spread + centre
    measured = {
        "held_out_n": HELD_OUT,
        "explained_components": explained(predicted[:, :COMPONENTS], truth[:, :COMPONENTS]),
        "explained_identity": explained(predicted[:, COMPONENTS:-8], truth[:, COMPONENTS:-8]),
        "explained_variation": explained(predicted[:, -8:], truth[:, -8:]),
        "feature_std_min_max": [round(float(v), 3) for v in (features.std(0).min(), features.std(0).max())],
    }
    card.write_card(
        options.out,
        {
            "kind": "feature extractor, 64 dimensions (harness.models.features.FeatureExtractor)",
            "recipe": "harness.worlds.recipes.avatars_features",
            "seed": SEED,
            "device": device.type,
            "steps": options.steps,
            "data": {"world": "avatars", "n": TRAIN, "seed": DATA_SEED, "distribution": "declared"},
            "measured": measured,
        },
    )
    print(measured)


if __name__ == "__main__":
    main()
