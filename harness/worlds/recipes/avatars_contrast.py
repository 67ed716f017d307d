"""Recipe of avatars-contrast: 64 features in which two disturbed views of one portrait lie together, others apart.

Trained by instance discrimination alone (NT-Xent, arXiv 2002.05709): no label, no factor of the drawing, no other
network. For methods that guide or balance in deep features, so that avatars-features can score them (rules: what guided
the sampling is not what reports it).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from harness.keys import generator
from harness.models.features import FeatureExtractor
from harness.worlds.avatars import dataset
from harness.worlds.avatars.draw import render
from harness.worlds.recipes import card
from harness.worlds.recipes.augment import batch_of, disturb

NAME = "avatars-contrast"
SEED = 0
DATA_SEED = 13
TRAIN, HELD_OUT = 12_000, 2000
BATCH, STEPS, RATE = 128, 1500, 1.5e-3
TEMPERATURE = 0.2
HOLE_PX = 20  # side of the square that each view lacks, so that no single part of a portrait is enough


def view(images: Tensor, g: np.random.Generator) -> Tensor:
    """A disturbed view of pictures (B, 3, H, W) in [0, 1], a gray square in a place of its own over each."""
    out = disturb(images, g, shift_px=4)
    h, w = out.shape[-2:]
    top, left = (torch.from_numpy(g.integers(0, n - HOLE_PX, len(out)))[:, None, None] for n in (h, w))
    y, x = torch.arange(h)[None, :, None], torch.arange(w)[None, None]
    hole = (y >= top) & (y < top + HOLE_PX) & (x >= left) & (x < left + HOLE_PX)
    return out.masked_fill(hole[:, None].to(out.device), 0.5)


def contrast(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """NT-Xent of two views (B, D) each: every view is to find its partner among the 2B - 1 others."""
    z = functional.normalize(torch.cat([a, b]), dim=1)
    likeness = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    partner = torch.arange(2 * len(a), device=a.device).roll(len(a))
    return functional.cross_entropy(likeness, partner)


def train(images: NDArray[np.uint8], steps: int, device: torch.device) -> FeatureExtractor:
    """The extractor; a two-layer projection is trained with it and thrown away."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(SEED, "training", NAME).integers(2**31)))
        model = FeatureExtractor(width=40).to(device)
        size = model.dimension
        head = nn.Sequential(nn.GELU(), nn.Linear(size, size), nn.GELU(), nn.Linear(size, size)).to(device)
        parameters = [*model.parameters(), *head.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
        for step in range(steps):
            g = generator(SEED, "training", NAME, step)
            batch = batch_of(images, g.choice(len(images), BATCH, replace=False), device)
            features: Tensor = model(torch.cat([view(batch, g), view(batch, g)]))
            spread = (features.std(0) - 1).square().mean() + features.mean(0).square().mean()
            a, b = head(features).chunk(2)
            loss: Tensor = contrast(a, b, TEMPERATURE) + 0.02 * spread
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            if (step + 1) % 100 == 0:
                print(time.strftime("%H:%M:%S"), f"step {step + 1}/{steps} loss {float(loss.detach()):.4f}", flush=True)
    return model.eval().requires_grad_(False)


def readable(features: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Accuracy of ridge regression on one-hot labels, fitted on one half of (N, D) features and read on the other."""
    half = len(features) // 2
    x = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    hot = np.eye(int(labels.max()) + 1)[labels]
    fit = np.linalg.solve(x[:half].T @ x[:half] + np.eye(x.shape[1]), x[:half].T @ hot[:half])
    return round(float(((x[half:] @ fit).argmax(1) == labels[half:]).mean()), 4)


def measure(model: FeatureExtractor) -> dict[str, object]:
    """How often a held-out view finds its partner among all, and what a linear reader finds of the attributes."""
    portraits = dataset.load("held_out", HELD_OUT, DATA_SEED, "declared").portraits
    pictures = batch_of(render(portraits), np.arange(HELD_OUT), torch.device("cpu"))
    g = generator(SEED, "calibration", NAME)
    a, b = (functional.normalize(model.extract(view(pictures, g)), dim=1) for _ in range(2))
    found = float(((a @ b.T).argmax(1) == torch.arange(HELD_OUT)).float().mean())
    features = model.extract(pictures).numpy()
    labels = {name: np.asarray(portraits.labels[name]) for name in ("skin", "hair_color", "glasses", "hat")}
    return {
        "held_out_n": HELD_OUT,
        "partner_found": round(found, 4),
        "linear_accuracy": {name: readable(features, values) for name, values in labels.items()},
        "largest_class": {name: round(float(np.bincount(v).max() / len(v)), 4) for name, v in labels.items()},
    }


def main(arguments: list[str] | None = None) -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/zoo") / NAME)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    name = options.device if options.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    images = render(dataset.load("training", TRAIN, DATA_SEED, "declared").portraits)
    model = train(images, options.steps, torch.device(name)).cpu()
    model.save(options.out)
    measured = measure(model)
    card.write_card(
        options.out,
        {
            "kind": "feature extractor, 64 dimensions (harness.models.features.FeatureExtractor)",
            "recipe": "harness.worlds.recipes.avatars_contrast",
            "seed": SEED,
            "device": name,
            "steps": options.steps,
            "data": {"world": "avatars", "n": TRAIN, "seed": DATA_SEED, "distribution": "declared"},
            "measured": measured,
        },
    )
    print(measured)


if __name__ == "__main__":
    main()
