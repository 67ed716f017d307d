"""A named set of images: a reference distribution, a shield, held-out data. Identity without loading a pixel."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.options import params_of


@dataclass(frozen=True)
class ImageData:
    """images (N, H, W, 3) uint8; prompt (N,) int64, the prompt each image answers, -1 where it answers none."""

    images: NDArray[np.uint8]
    prompt: NDArray[np.int64]


class ImageSet(ABC):
    """Base of image sets; subclasses are frozen dataclasses with options."""

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    licence: ClassVar[str] = ""

    def identity(self, prompts: tuple[str, ...]) -> dict[str, Any]:
        """Everything that could change the images, as JSON values. `prompts` count only where `uses_prompts`."""
        fields: dict[str, Any] = {"set": self.name, "version": self.version, **params_of(self)}
        if self.uses_prompts:
            fields["prompts"] = list(prompts)
        return fields

    uses_prompts: ClassVar[bool] = False

    def digest(self, prompts: tuple[str, ...]) -> str:
        """32 hexadecimal digits naming the content."""
        text = json.dumps(self.identity(prompts), sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def title(self) -> str:
        """What metric ids call the set."""
        return self.name

    @property
    def mixes(self) -> bool:
        """Whether the suite states that another container than that of the scored images is wanted."""
        return False

    def kept_as(self, prompts: tuple[str, ...]) -> frozenset[str]:
        """How the images are kept (png, jpeg, …); what the project draws is as good as PNG."""
        return frozenset({"png"})

    def duplicates(self, prompts: tuple[str, ...]) -> float | None:
        """Share of images that repeat another one, pixel for pixel; None where it is not known without drawing."""
        return None

    def absent(self) -> str:
        """What is missing and how to get it, without reading or fetching anything; "" where it is all here."""
        return ""

    def size_bytes(self, prompts: tuple[str, ...]) -> int:
        """Bytes of all pixels, 0 for sets that are drawn into memory anyway."""
        return 0

    @abstractmethod
    def size(self, prompts: tuple[str, ...]) -> int:
        """Number of images, without loading them."""

    @abstractmethod
    def load(self, prompts: tuple[str, ...]) -> ImageData:
        """The images. Deterministic; the same content for the same digest."""

    def blocks(self, prompts: tuple[str, ...], count: int = 256) -> Iterator[ImageData]:
        """The images in blocks of at most `count`, in order; sets that do not fit in memory read them so."""
        whole = self.load(prompts)
        for start in range(0, len(whole.images), count):
            yield ImageData(whole.images[start : start + count], whole.prompt[start : start + count])
