"""Recipe of digits-attributes: which digit a picture shows. Trained on one half, measured on the held-out half."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from harness.keys import generator
from harness.models.classifier import AttributeClassifier
from harness.worlds import digits
from harness.worlds.digits.prompts import WORDS
from harness.worlds.recipes import card
from harness.worlds.recipes.augment import batch_of, disturb

NAME = "digits-attributes"
SEED = 0
BATCH, STEPS, RATE = 96, 600, 2e-3


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
    target = torch.from_numpy(labels).to(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(SEED, "training", NAME).integers(2**31)))
        model = AttributeClassifier({"digit": WORDS}, size_px=digits.SIZE_PX, widths=(16, 32, 48)).to(device)
        optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=options.steps)
        model.train()
        for step in range(options.steps):
            g = generator(SEED, "training", NAME, step)
            rows = g.integers(len(images), size=BATCH)
            logits = model(disturb(batch_of(images, rows, device), g, shift_px=1))["digit"]
            loss = nn.functional.cross_entropy(logits, target[torch.from_numpy(rows).to(device)], label_smoothing=0.03)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    model.eval().requires_grad_(False).save(options.out)
    pictures, truth = digits.load("held_out")
    predicted = model.cpu().predict(batch_of(pictures, np.arange(len(pictures)), torch.device("cpu")))["digit"]
    matrix = np.zeros((10, 10), dtype=np.int64)
    np.add.at(matrix, (truth, predicted.argmax(1).numpy()), 1)
    accuracy = round(float(np.trace(matrix) / matrix.sum()), 4)
    fields = {
        "kind": "attribute classifier (harness.models.classifier.AttributeClassifier)",
        "recipe": "harness.worlds.recipes.digits_attributes",
        "seed": SEED,
        "device": device.type,
        "steps": options.steps,
        "data": {"world": "digits", "split": "training", "n": len(images)},
    }
    row = {"accuracy": accuracy, "n": int(matrix.sum()), "classes": WORDS, "confusion": matrix.tolist()}
    card.write_card(options.out, {**fields, "measured": {"held_out_n": len(truth), "renders": {"digit": row}}})
    print({"held_out_accuracy": accuracy})


if __name__ == "__main__":
    main()
