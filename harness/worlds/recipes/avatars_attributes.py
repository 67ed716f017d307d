"""Recipe of avatars-attributes: the classifier that says which class of each attribute a portrait shows.

Trained on renders of the declared distribution and, so that it reads generated pictures too, on the same renders sent
through the autoencoder of avatars-sd; never on pictures that the U-Net generated.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from harness.keys import generator
from harness.models.classifier import AttributeClassifier
from harness.worlds.avatars import dataset
from harness.worlds.avatars.attributes import ATTRIBUTES, Portraits
from harness.worlds.avatars.draw import render
from harness.worlds.recipes import autoencoder, card
from harness.worlds.recipes.augment import batch_of, disturb

NAME = "avatars-attributes"
SEED = 0
DATA_SEED = 11  # renders that avatars-sd never saw
TRAIN, HELD_OUT = 16_000, 3000
BATCH, STEPS, RATE = 128, 2500, 2e-3


def labels_of(portraits: Portraits) -> NDArray[np.int64]:
    """Class numbers (N, A) in the order of `ATTRIBUTES`."""
    return np.stack([portraits.labels[a.name] for a in ATTRIBUTES], axis=1)


def train(
    images: NDArray[np.uint8], labels: NDArray[np.int64], steps: int, device: torch.device
) -> AttributeClassifier:
    """The classifier of images (N, 64, 64, 3) and their class numbers (N, A)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(SEED, "training", NAME).integers(2**31)))
        model = AttributeClassifier({a.name: a.classes for a in ATTRIBUTES}).to(device)
        optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
        target = torch.from_numpy(labels).to(device)
        model.train()
        for step in range(steps):
            g = generator(SEED, "training", NAME, step)
            rows = g.integers(len(images), size=BATCH)
            logits = model(disturb(batch_of(images, rows, device), g))
            stated = target[torch.from_numpy(rows).to(device)]
            losses = [
                torch.nn.functional.cross_entropy(logits[a.name], stated[:, i], label_smoothing=0.03)
                for i, a in enumerate(ATTRIBUTES)
            ]
            optimizer.zero_grad(set_to_none=True)
            loss = torch.stack(losses).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            if (step + 1) % 100 == 0:
                print(time.strftime("%H:%M:%S"), f"step {step + 1}/{steps} loss {float(loss.detach()):.4f}", flush=True)
    return model.eval().requires_grad_(False)


def confusion(
    model: AttributeClassifier, images: NDArray[np.uint8], labels: NDArray[np.int64], device: torch.device
) -> dict[str, dict[str, object]]:
    """Attribute -> accuracy, n and confusion matrix (rows: true class, columns: predicted); a label -1 is skipped."""
    model = model.to(device)
    pictures = batch_of(images, np.arange(len(images)), torch.device("cpu"))
    predicted = model.predict(pictures)
    out: dict[str, dict[str, object]] = {}
    for i, a in enumerate(ATTRIBUTES):
        k, known = len(a.classes), labels[:, i] >= 0
        matrix = np.zeros((k, k), dtype=np.int64)
        np.add.at(matrix, (labels[known, i], predicted[a.name].argmax(1).numpy()[known]), 1)
        out[a.name] = {
            "accuracy": round(float(np.trace(matrix) / max(matrix.sum(), 1)), 4),
            "n": int(matrix.sum()),
            "classes": a.classes,
            "confusion": matrix.tolist(),
        }
    return out


def mean_accuracy(table: dict[str, dict[str, object]]) -> float:
    """Mean over attributes of the accuracies of `confusion`."""
    return round(float(np.mean([float(str(row["accuracy"])) for row in table.values()])), 4)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/zoo") / NAME)
    parser.add_argument("--vae", type=Path, default=Path("build/work/avatars-sd/vae"), help="autoencoder of avatars-sd")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    name = options.device if options.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    portraits = dataset.load("training", TRAIN, DATA_SEED, "declared").portraits
    images, labels = render(portraits), labels_of(portraits)
    vae = AutoencoderKL.from_pretrained(options.vae).to(device)
    every = np.arange(0, TRAIN, 2)
    images[every] = autoencoder.decode(vae, autoencoder.encode(vae, images[every], device), device)
    model = train(images, labels, options.steps, device)
    model.save(options.out)
    held_out = dataset.load("held_out", HELD_OUT, DATA_SEED, "declared").portraits
    pictures, truth = render(held_out), labels_of(held_out)
    clean = confusion(model, pictures, truth, device)
    passed = autoencoder.decode(vae, autoencoder.encode(vae, pictures, device), device)
    decoded = confusion(model, passed, truth, device)
    card.write_card(
        options.out,
        {
            "kind": "attribute classifier (harness.models.classifier.AttributeClassifier)",
            "recipe": "harness.worlds.recipes.avatars_attributes",
            "seed": SEED,
            "device": device.type,
            "steps": options.steps,
            "data": {
                "world": "avatars",
                "n": TRAIN,
                "seed": DATA_SEED,
                "distribution": "declared",
                "decoded": "every 2nd",
            },
            "measured": {
                "held_out_n": HELD_OUT,
                "renders_mean_accuracy": mean_accuracy(clean),
                "decoded_mean_accuracy": mean_accuracy(decoded),
                "renders": clean,
                "decoded": decoded,
            },
        },
    )
    for label, table in (("renders", clean), ("decoded", decoded)):
        print(label, mean_accuracy(table), {k: v["accuracy"] for k, v in table.items()})


if __name__ == "__main__":
    main()
