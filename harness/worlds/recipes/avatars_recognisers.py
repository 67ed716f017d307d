"""Recipe of the face recognisers of the avatars world: five designs, three sets of people, two training seeds.

`--out build/zoo/NAME` says which one. Every recogniser sees photographs of one training set of people only
(harness/worlds/avatars/photos.py); calibration, evaluation, targets, distractors and decoys are other people. The net
is exported to ONNX under the ArcFace convention (RGB, 112 px, (x - 127.5) / 127.5), as insightface reads it; the whole
64 px picture is the aligned frame.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from harness.keys import generator
from harness.worlds.avatars.photos import photographs
from harness.worlds.recipes import card
from harness.worlds.recipes.augment import batch_of, disturb
from harness.worlds.recipes.recogniser_networks import ARCHITECTURES, DIMENSION, SIZE_PX

RELEASED = "2026-11-20"


@dataclass(frozen=True)
class Recipe:
    """One recogniser: architecture, people, loss (arcface, cosface or triplet), margin, seed and length."""

    architecture: str
    people: str
    loss: str
    margin: float
    seed: int
    steps: int
    rate: float = 2e-3
    persons: int = 1500
    photos: int = 10
    scale: float = 24.0
    batch: int = 96


RECIPES: dict[str, Recipe] = {
    "avatars-resnet-a": Recipe("resnet", "people-a", "arcface", 0.3, seed=0, steps=1500),
    "avatars-resnet-b": Recipe("resnet", "people-b", "arcface", 0.3, seed=1, steps=1200),
    "avatars-mobilenet": Recipe("mobilenet", "people-b", "cosface", 0.2, seed=0, steps=1000),
    "avatars-vit": Recipe("vit", "people-c", "cosface", 0.2, seed=0, steps=1800, rate=1.5e-3),
    "avatars-cnn": Recipe("cnn", "people-c", "triplet", 0.3, seed=0, steps=1800, persons=2500),
    "avatars-weak": Recipe("small-cnn", "people-a", "triplet", 0.2, seed=0, steps=20, persons=60),
}


def frame(pictures: Tensor) -> Tensor:
    """Network input of pictures (n, 3, h, w) in [0, 1]: bilinear to 112 px, [-1, 1]."""
    large = functional.interpolate(pictures, (SIZE_PX, SIZE_PX), mode="bilinear", align_corners=False)
    return 2 * large - 1


def margin_loss(unit: Tensor, centres: Tensor, person: Tensor, recipe: Recipe, share: float = 1.0) -> Tensor:
    """Cross-entropy of s cos(θ + m) (ArcFace, arXiv 1801.07698) or s (cos θ - m) (CosFace, 1801.09414).

    share  of the margin that is asked for yet
    """
    margin = share * recipe.margin
    cosine = unit @ functional.normalize(centres, dim=1).T
    own = cosine.gather(1, person[:, None])
    if recipe.loss == "arcface":
        angle = own.clamp(-1 + 1e-6, 1 - 1e-6).arccos()
        wanted = torch.where(angle + margin < np.pi, (angle + margin).cos(), own - margin)
    else:
        wanted = own - margin
    return functional.cross_entropy(recipe.scale * cosine.scatter(1, person[:, None], wanted), person)


def triplet_loss(unit: Tensor, person: Tensor, margin: float) -> Tensor:
    """Softplus triplet loss on the hardest positive and negative of the batch (arXiv 1703.07737)."""
    distance = (2 - 2 * unit @ unit.T).clamp_min(1e-9).sqrt()
    same = person[:, None] == person[None]
    positive = distance.masked_fill(~same, 0).max(1).values
    negative = distance.masked_fill(same, 9).min(1).values
    return functional.softplus(12 * (positive - negative + margin)).mean() / 12


def train(pixels: NDArray[np.uint8], person: NDArray[np.int64], name: str, recipe: Recipe, steps: int) -> nn.Module:
    """The recogniser after `steps` batches, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(recipe.seed, "training", name).integers(2**31)))
        net = ARCHITECTURES[recipe.architecture]().to(memory_format=torch.channels_last)
        centres = nn.Parameter(0.05 * torch.randn(int(person.max()) + 1, DIMENSION))  # short: they must turn fast
    parameters = [*net.parameters(), centres]
    optimizer = torch.optim.AdamW(parameters, lr=recipe.rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps, pct_start=0.15)
    per_person = len(person) // (int(person.max()) + 1)
    for step in range(steps):
        g = generator(recipe.seed, "training", name, step)
        if recipe.loss == "triplet":  # four photographs of each of batch / 4 people
            chosen = g.choice(int(person.max()) + 1, recipe.batch // 4, replace=False)
            rows = np.concatenate([p * per_person + g.choice(per_person, 4, replace=False) for p in chosen])
        else:
            rows = g.choice(len(person), recipe.batch, replace=False)
        pictures = disturb(batch_of(pixels, rows.astype(np.int64), torch.device("cpu")), g)
        label = torch.from_numpy(person[rows])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            raw = net(frame(pictures).contiguous(memory_format=torch.channels_last))
        unit = functional.normalize(raw.float(), dim=1)
        if recipe.loss == "triplet":
            loss = triplet_loss(unit, label, recipe.margin)
        else:
            loss = margin_loss(unit, centres, label, recipe, min(1.0, step / (0.4 * steps)))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            print(time.strftime("%H:%M:%S"), f"step {step + 1}/{steps} loss {float(loss.detach()):.4f}", flush=True)
    return net.eval().requires_grad_(False)


def export(net: nn.Module, path: Path) -> None:
    """The ONNX graph: input (n, 3, 112, 112) float32, output (n, D), any n; not normalised, as ArcFace's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    example = torch.zeros(1, 3, SIZE_PX, SIZE_PX)
    with warnings.catch_warnings():  # the exporter on torch.export would add a package that nothing else needs
        warnings.simplefilter("ignore", DeprecationWarning)
        axes = {"input": {0: "n"}, "embedding": {0: "n"}}
        torch.onnx.export(
            net.to(memory_format=torch.contiguous_format),
            (example,),
            str(path),
            dynamo=False,
            input_names=["input"],
            output_names=["embedding"],
            dynamic_axes=axes,
        )


def embeddings(path: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Unit vectors (N, D) of pictures (N, H, W, 3) by the exported graph."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    parts = []
    for start in range(0, len(pixels), 128):
        block = batch_of(pixels, np.arange(start, min(start + 128, len(pixels))), torch.device("cpu"))
        parts.append(session.run(None, {"input": frame(block).numpy()})[0])
    rows = np.concatenate(parts)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def measure(path: Path) -> dict[str, object]:
    """Verification on people never seen: threshold on one photograph a person of `calibration`, rates on `evaluation`.

    tar  share of pairs of two photographs of one person above the threshold whose false acceptance rate is `far`
    """
    calibration = embeddings(path, photographs("calibration", None, 1).pixels)
    impostors = np.sort((calibration @ calibration.T)[np.triu_indices(len(calibration), 1)])[::-1]
    shown = photographs("evaluation", 200, 4)
    rows = embeddings(path, shown.pixels)
    scores = rows @ rows.T
    first, second = np.triu_indices(len(rows), 1)
    same = shown.person[first] == shown.person[second]
    genuine, others = scores[first, second][same], scores[first, second][~same]
    result: dict[str, object] = {"people": 200, "photos": 4, "calibration_people": len(calibration)}
    for far in (1e-2, 1e-3):
        threshold = impostors[int(far * len(impostors))]
        result[f"tar_at_far_{far:g}"] = round(float((genuine > threshold).mean()), 4)
        result[f"false_acceptance_at_far_{far:g}"] = round(float((others > threshold).mean()), 5)
    return result


def main(arguments: list[str] | None = None) -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/zoo/avatars-resnet-a"))
    parser.add_argument("--steps", type=int)
    options = parser.parse_args(arguments)
    name = options.out.name
    recipe = RECIPES[name]
    steps = options.steps or recipe.steps
    shown = photographs(recipe.people, recipe.persons, recipe.photos)
    start = time.monotonic()
    net = train(shown.pixels, shown.person, name, recipe, steps)
    path = options.out / "model.onnx"
    export(net, path)
    card.write_card(
        options.out,
        {
            "kind": "face recogniser (ONNX, ArcFace convention)",
            "recipe": "harness.worlds.recipes.avatars_recognisers",
            "seed": recipe.seed,
            "device": "cpu",
            "steps": steps,
            "seconds": round(time.monotonic() - start),
            "data": {"world": "avatars", "split": recipe.people, "people": recipe.persons, "photos": recipe.photos},
            "loss": {"name": recipe.loss, "margin": recipe.margin, "scale": recipe.scale},
            "lineage": {"weights": name, "training": f"avatars {recipe.people}", "architecture": recipe.architecture},
            "released": RELEASED,
            "measured": measure(path),
        },
    )
    print(measure(path))


if __name__ == "__main__":
    main()
