"""Recipe of digits-features: 64 features of a handwritten digit, from its class and the shape of its strokes."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from harness.keys import generator
from harness.models.features import FeatureExtractor
from harness.worlds import digits
from harness.worlds.recipes import card
from harness.worlds.recipes.augment import batch_of, disturb
from harness.worlds.recipes.avatars_features import components

NAME = "digits-features"
SEED = 0
BATCH, STEPS, RATE, COMPONENTS = 96, 1500, 1.5e-3, 32


def main(arguments: list[str] | None = None) -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/zoo") / NAME)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    name = options.device if options.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    images, labels = digits.load("training")
    flat = np.asarray(images[:, ::2, ::2, 0].reshape(len(images), -1) / 255, dtype=np.float32)
    mean, directions = components(flat, COMPONENTS)
    strokes = (flat - mean) @ directions
    goal = torch.from_numpy(strokes / strokes.std(0)[0]).to(device)
    target = torch.from_numpy(labels).to(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(SEED, "training", NAME).integers(2**31)))
        model = FeatureExtractor(size_px=digits.SIZE_PX, patch=4, width=32).to(device)
        readers = nn.ModuleList([nn.Linear(64, COMPONENTS), nn.Linear(64, 10)]).to(device)
        parameters = [*model.parameters(), *readers.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=options.steps)
        for step in range(options.steps):
            g = generator(SEED, "training", NAME, step)
            rows = g.integers(len(images), size=BATCH)
            features: Tensor = model(disturb(batch_of(images, rows, device), g, shift_px=1))
            at = torch.from_numpy(rows).to(device)
            error = (readers[0](features) - goal[at]).square().sum(1).mean()
            wrong = nn.functional.cross_entropy(readers[1](features), target[at], label_smoothing=0.05)
            spread = (features.std(0) - 1).square().mean() + features.mean(0).square().mean()
            loss = error + wrong + 0.1 * spread
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval().requires_grad_(False).save(options.out)
    pictures, truth = digits.load("held_out")
    features = model.extract(batch_of(pictures, np.arange(len(pictures)), torch.device("cpu")))
    predicted = readers.cpu()[1](features).argmax(1).numpy()
    measured = {
        "held_out_n": len(pictures),
        "held_out_accuracy": round(float((predicted == truth).mean()), 4),
        "feature_std_min_max": [round(float(v), 3) for v in (features.std(0).min(), features.std(0).max())],
    }
    fields = {
        "kind": "feature extractor, 64 dimensions (harness.models.features.FeatureExtractor)",
        "recipe": "harness.worlds.recipes.digits_features",
        "seed": SEED,
        "device": device.type,
        "steps": options.steps,
        "data": {"world": "digits", "split": "training", "n": len(images)},
    }
    card.write_card(options.out, {**fields, "measured": measured})
    print(measured)


if __name__ == "__main__":
    main()
