"""How a quality scorer is trained: portraits with planted damages, the quality being what the damages left of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from harness.keys import generator
from harness.models import zoo
from harness.models.quality import QualityScorer
from harness.worlds.avatars import dataset
from harness.worlds.avatars.draw import render
from harness.worlds.recipes import card
from harness.worlds.recipes.augment import batch_of
from harness.worlds.recipes.degradations import DAMAGES, damage

GROUP = 8  # pictures of a batch that share a damage
CLEAN, TWICE = 0.2, 0.3  # shares of a batch that stay clean, and that are damaged a second time
GRADES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class QualityRecipe:
    """name and architecture of a scorer, the damages it learns, its seeds and its length."""

    name: str
    architecture: str
    damages: tuple[str, ...]
    data_seed: int
    seed: int = 0
    train: int = 10_000
    held_out: int = 400
    batch: int = 64
    steps: int = 2200
    rate: float = 1.5e-3


def batch(
    images: Tensor, damages: Sequence[str], g: np.random.Generator, twice: float = TWICE
) -> tuple[Tensor, Tensor]:
    """Damaged pictures and their qualities (B,): the product of 1 - severity over damages, mild ones favoured."""
    out, quality = images.clone(), torch.ones(len(images))
    for again in range(2):
        for start in range(0, len(images), GROUP):
            rows = slice(start, start + GROUP)
            n = len(out[rows])
            severity = torch.from_numpy((g.random(n) ** 1.5).astype(np.float32))
            spared = g.random(n) < (1 - twice if again else CLEAN)
            severity[torch.from_numpy(spared)] = 0.0
            if not again or not bool((severity == 0).all()):
                name = damages[int(g.integers(len(damages)))]
                made = damage(name, out[rows], severity, g)
                out[rows] = torch.where(severity[:, None, None, None] > 0, made, out[rows])
            quality[rows] *= 1 - severity
    return out, quality


def train(images: NDArray[np.uint8], recipe: QualityRecipe, steps: int) -> QualityScorer:
    """The scorer after `steps` batches, squared error."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(recipe.seed, "training", recipe.name).integers(2**31)))
        model = QualityScorer(recipe.architecture)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        g = generator(recipe.seed, "training", recipe.name, step)
        clean = batch_of(images, g.choice(len(images), recipe.batch, replace=False), torch.device("cpu"))
        pictures, quality = batch(clean, recipe.damages, g)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            score = model(pictures)
        loss = functional.mse_loss(score, quality)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            print(time.strftime("%H:%M:%S"), f"step {step + 1}/{steps} error {float(loss.detach()):.4f}", flush=True)
    return model.eval().requires_grad_(False)


def scores(model: QualityScorer, pictures: Tensor) -> NDArray[np.float32]:
    """Scores (N,) of pictures (N, 3, 64, 64)."""
    with torch.no_grad():
        return np.asarray(torch.cat([model(part) for part in torch.split(pictures, 128)]).numpy())


def spearman(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Rank correlation."""
    from scipy.stats import spearmanr

    return round(float(spearmanr(a, b).statistic), 4)


def measure(model: QualityScorer, recipe: QualityRecipe) -> dict[str, object]:
    """Per damage, also those not learned: rank correlation of score and severity; and the scores of clean renders."""
    portraits = dataset.load("held_out", recipe.held_out, recipe.data_seed, "declared").portraits
    clean = batch_of(render(portraits), np.arange(recipe.held_out), torch.device("cpu"))
    grade = torch.tensor(GRADES)[torch.arange(recipe.held_out) % len(GRADES)]
    found = {}
    for name in DAMAGES:
        g = generator(recipe.seed, "calibration", recipe.name, name)
        made = torch.where(grade[:, None, None, None] > 0, damage(name, clean, grade, g), clean)
        found[name] = spearman(-scores(model, made), grade.numpy())
    of_clean = scores(model, clean)
    return {
        "held_out_n": recipe.held_out,
        "severity_spearman": {name: found[name] for name in recipe.damages},
        "severity_spearman_never_seen": {name: v for name, v in found.items() if name not in recipe.damages},
        "clean_mean": round(float(of_clean.mean()), 4),
        "clean_tenth": round(float(np.quantile(of_clean, 0.1)), 4),
    }


def run(recipe: QualityRecipe, module: str, out: Path, steps: int) -> None:
    """Trains, measures and writes a scorer into `out`."""
    images = render(dataset.load("training", recipe.train, recipe.data_seed, "declared").portraits)
    start = time.monotonic()
    model = train(images, recipe, steps)
    seconds = round(time.monotonic() - start)
    model.save(out)
    measured = measure(QualityScorer.load(_carded(out, {})), recipe)
    fields = {
        "kind": f"quality scorer, {recipe.architecture} (harness.models.quality.QualityScorer)",
        "recipe": module,
        "seed": recipe.seed,
        "device": "cpu",
        "steps": steps,
        "seconds": seconds,
        "data": {"world": "avatars", "n": recipe.train, "seed": recipe.data_seed, "distribution": "declared"},
        "damages": list(recipe.damages),
        "measured": measured,
    }
    _carded(out, fields)
    print(measured)


def _carded(out: Path, fields: dict[str, object]) -> Path:
    card.write_card(out, fields)
    return out


def remeasure(recipe: QualityRecipe, out: Path) -> None:
    """Measures a trained scorer again, now also on 1000 portraits of avatars-gan, and renews its card."""
    from harness.models.gan import AvatarsGan

    session = AvatarsGan().open("cpu")
    g = generator(recipe.seed, "calibration", recipe.name)
    drawn = session.decode(g.standard_normal((1000, session.latent_size), dtype=np.float32))
    found = measure(QualityScorer.load(out), recipe)
    card.update_card(out, {"measured": {**found, "on_avatars_gan": agreement(drawn)}})


def agreement(drawn: NDArray[np.uint8]) -> dict[str, float]:
    """Both shipped scorers on pictures (N, 64, 64, 3): their means, deviations and rank correlation, for the cards."""
    pictures = batch_of(drawn, np.arange(len(drawn)), torch.device("cpu"))
    a, b = (scores(QualityScorer.load(zoo.entry(f"avatars-quality-{x}").directory), pictures) for x in "ab")
    return {
        "n": len(drawn),
        "a_mean": round(float(a.mean()), 4),
        "b_mean": round(float(b.mean()), 4),
        "a_deviation": round(float(a.std()), 4),
        "b_deviation": round(float(b.std()), 4),
        "spearman": spearman(a, b),
    }
