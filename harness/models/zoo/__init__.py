"""The shipped models: where they are, which recipe trained them, and whether the files are the ones on their cards."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent


@dataclass(frozen=True)
class ZooEntry:
    """A shipped model: its name, what it is, its folder, the module of its recipe and one line for listings."""

    name: str
    kind: str
    recipe: str
    summary: str

    @property
    def directory(self) -> Path:
        """The folder that holds weights and card."""
        return ROOT / self.name

    @property
    def card(self) -> dict[str, Any]:
        """The card: data, recipe, seed, device, steps, hashes and held-out measurements."""
        card: dict[str, Any] = json.loads((self.directory / "card.json").read_text())
        return card

    @property
    def is_present(self) -> bool:
        """Whether the weights are there."""
        return (self.directory / "card.json").is_file()


ZOO: dict[str, ZooEntry] = {
    entry.name: entry
    for entry in (
        ZooEntry(
            "avatars-sd",
            "stable_diffusion",
            "harness.worlds.recipes.avatars_sd",
            "text-to-image model of the avatars world, a diffusers StableDiffusionPipeline at 64x64",
        ),
        ZooEntry(
            "avatars-attributes",
            "classifier",
            "harness.worlds.recipes.avatars_attributes",
            "which class of each attribute a 64x64 portrait shows",
        ),
        ZooEntry(
            "avatars-features",
            "features",
            "harness.worlds.recipes.avatars_features",
            "64 features of a 64x64 portrait, trained on layout, colors and identity",
        ),
        ZooEntry(
            "avatars-contrast",
            "features",
            "harness.worlds.recipes.avatars_contrast",
            "64 features of a 64x64 portrait, trained without any label: for methods that guide or balance",
        ),
        ZooEntry(
            "avatars-gan",
            "gan",
            "harness.worlds.recipes.avatars_gan",
            "64x64 portraits of 64 random numbers; it makes mistakes, for retrofitting to mend",
        ),
        ZooEntry(
            "avatars-quality-a",
            "quality",
            "harness.worlds.recipes.avatars_quality_a",
            "how undamaged a 64x64 portrait looks: the scorer to tune on",
        ),
        ZooEntry(
            "avatars-quality-b",
            "quality",
            "harness.worlds.recipes.avatars_quality_b",
            "how undamaged a 64x64 portrait looks: the held-out scorer, another net taught by partly other damages",
        ),
        ZooEntry(
            "avatars-resnet-a",
            "recogniser",
            "harness.worlds.recipes.avatars_recognisers",
            "a face recogniser: residual net, ArcFace, people a",
        ),
        ZooEntry(
            "avatars-resnet-b",
            "recogniser",
            "harness.worlds.recipes.avatars_recognisers",
            "a face recogniser: residual net, ArcFace, people b",
        ),
        ZooEntry(
            "avatars-mobilenet",
            "recogniser",
            "harness.worlds.recipes.avatars_recognisers",
            "a face recogniser: MobileFaceNet's plan, CosFace, people b",
        ),
        ZooEntry(
            "avatars-vit",
            "recogniser",
            "harness.worlds.recipes.avatars_recognisers",
            "a face recogniser: vision transformer, CosFace, people c",
        ),
        ZooEntry(
            "avatars-cnn",
            "recogniser",
            "harness.worlds.recipes.avatars_recognisers",
            "a face recogniser: plain convolutions, triplet loss, people c",
        ),
        ZooEntry(
            "avatars-weak",
            "recogniser",
            "harness.worlds.recipes.avatars_recognisers",
            "a weak face recogniser: grey, 28 px, few people",
        ),
        ZooEntry(
            "avatars-vq",
            "autoencoder",
            "harness.worlds.recipes.avatars_vq",
            "a diffusers VQModel of 64x64 portraits, for cloaks that move its codes",
        ),
        ZooEntry(
            "digits-sd",
            "stable_diffusion",
            "harness.worlds.recipes.digits_sd",
            "text-to-image model of scikit-learn's handwritten digits at 32x32; it memorises on purpose",
        ),
        ZooEntry(
            "digits-attributes",
            "classifier",
            "harness.worlds.recipes.digits_attributes",
            "which of the ten digits a 32x32 picture shows",
        ),
        ZooEntry(
            "digits-features",
            "features",
            "harness.worlds.recipes.digits_features",
            "64 features of a 32x32 handwritten digit",
        ),
        ZooEntry(
            "commands-codec",
            "speech",
            "harness.worlds.recipes.commands_codec",
            "spoken commands through 180 bits a second and back, too flat to be understood well",
        ),
        ZooEntry(
            "programs-t5",
            "seq2seq",
            "harness.worlds.recipes.programs_t5",
            "JavaScript functions of the programs world to Python, legacy Python at times, a transformers T5",
        ),
    )
}


def entry(name: str) -> ZooEntry:
    """The entry `name`. Raises KeyError naming what there is."""
    if name not in ZOO:
        raise KeyError(f"no shipped model {name!r}; one of {', '.join(ZOO)}")
    return ZOO[name]


def verify(name: str) -> dict[str, str]:
    """File -> sha256 of a shipped model, each equal to its card's. Raises WeightsChanged or FileNotFoundError."""
    from harness.models.zoo.card import check

    return check(entry(name).directory)
