"""Image sets of the avatars world: renders that answer the suite's prompts, and the model's own training portraits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.image_set import ImageData, ImageSet
from harness.options import option

WORLD_VERSION = 1  # of the drawing: bump when the same key draws other pixels
LICENCE = "Apache-2.0 (drawn by the project)"


@dataclass(frozen=True)
class AvatarsForPrompts(ImageSet):
    """Renders that answer the task's prompts; what a prompt leaves open follows `distribution`."""

    per_prompt: int = option(50, unit="images", at_least=2)
    distribution: Literal["declared", "training"] = option(
        "training",
        help="training: what the shipped model saw, planted bias included; declared: every class as declared",
    )
    seed: int = option(1_000, help="key of the renders; no training portrait shares it")

    name = "avatars/prompts"
    version = WORLD_VERSION
    licence = LICENCE
    uses_prompts: ClassVar[bool] = True

    def size(self, prompts: tuple[str, ...]) -> int:
        return self.per_prompt * len(prompts)

    def load(self, prompts: tuple[str, ...]) -> ImageData:
        from harness.worlds.avatars.prompts import reference

        images, prompt = reference(prompts, self.per_prompt, self.seed, self.distribution)
        return ImageData(images, prompt)


def _split(split: Any, n: int) -> ImageData:
    from harness.worlds.avatars.dataset import load
    from harness.worlds.avatars.draw import render

    images: NDArray[np.uint8] = render(load(split, n).portraits)
    return ImageData(images, np.full(n, -1, dtype=np.int64))


@dataclass(frozen=True)
class AvatarsTrain(ImageSet):
    """The first `n` portraits that avatars-sd was trained on."""

    n: int = option(24_000, unit="images", at_least=1, at_most=24_000)

    name = "avatars/train"
    version = WORLD_VERSION
    licence = LICENCE

    def size(self, prompts: tuple[str, ...]) -> int:
        return self.n

    def load(self, prompts: tuple[str, ...]) -> ImageData:
        return _split("training", self.n)


@dataclass(frozen=True)
class AvatarsHeldout(ImageSet):
    """Portraits of the training distribution that no shipped model has seen."""

    n: int = option(2_000, unit="images", at_least=1)

    name = "avatars/heldout"
    version = WORLD_VERSION
    licence = LICENCE

    def size(self, prompts: tuple[str, ...]) -> int:
        return self.n

    def load(self, prompts: tuple[str, ...]) -> ImageData:
        return _split("held_out", self.n)
