"""A set of images that a task holds in memory, with the digest that the task gives it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.image_set import ImageData, ImageSet


class DrawnSet(ImageSet):
    """images (N, H, W, 3) uint8 in the order of the task's items; `title` is what metric ids call them."""

    def __init__(self, images: NDArray[np.uint8], title: str, content: str) -> None:
        self._images, self._title, self._content = images, title, content

    @property
    def title(self) -> str:
        return self._title.replace(" ", "-")

    def identity(self, prompts: tuple[str, ...]) -> dict[str, Any]:
        return {"set": self._title, "content": self._content}

    def size(self, prompts: tuple[str, ...]) -> int:
        return len(self._images)

    def load(self, prompts: tuple[str, ...]) -> ImageData:
        return ImageData(self._images, np.full(len(self._images), -1, dtype=np.int64))
