"""Image sets of scikit-learn's handwritten digits: what digits-sd was trained on, and what it has never seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.data.image_set import ImageData, ImageSet

WORLD_VERSION = 1  # of split and enlargement
LICENCE = "CC BY 4.0 (UCI ML hand-written digits, as scikit-learn ships them)"


def _load(split: Any) -> ImageData:
    from harness.worlds.digits import load

    images, labels = load(split)
    return ImageData(images, labels)


def _size(split: str) -> int:
    from harness.worlds.digits.data import indices

    return len(indices(split))


@dataclass(frozen=True)
class DigitsTrain(ImageSet):
    """The half of the digits that digits-sd was trained on."""

    name = "digits/train"
    version = WORLD_VERSION
    licence = LICENCE

    def size(self, prompts: tuple[str, ...]) -> int:
        return _size("training")

    def load(self, prompts: tuple[str, ...]) -> ImageData:
        return _load("training")


@dataclass(frozen=True)
class DigitsHeldout(ImageSet):
    """The other half: same writers, never shown to a model."""

    name = "digits/heldout"
    version = WORLD_VERSION
    licence = LICENCE

    def size(self, prompts: tuple[str, ...]) -> int:
        return _size("held_out")

    def load(self, prompts: tuple[str, ...]) -> ImageData:
        return _load("held_out")
