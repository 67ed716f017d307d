"""What a cloak gets: photographs with keys, and the networks that it may use.

Every draw of a photo is keyed by the photo, and `in_blocks` shows the networks blocks of one size only, the last one
filled up: a photo's result is the same bits whichever photos come with it (the CLIP2Protect state leak, rules.md 33).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.keys import generator

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 16  # photos shown to a network at a time
LEVELS = 255.0


@dataclass(frozen=True)
class Photos:
    """Aligned pictures and whom they show.

    pixels  (n, 3, H, W) float32 in [0, 1]
    keys    one a photo: its draws are generator(seed, purpose, *key)
    person  (n,) names
    other   (n, 3, H, W), another photo of the same person each, for the control; None where there is none
    """

    pixels: Tensor
    keys: tuple[tuple[str, ...], ...]
    person: NDArray[np.str_]
    other: Tensor | None = None

    def __post_init__(self) -> None:
        if not len(self.pixels) == len(self.keys) == len(self.person):
            raise ValueError(f"{len(self.pixels)} pictures, {len(self.keys)} keys, {len(self.person)} names")

    def __len__(self) -> int:
        return len(self.keys)

    def at(self, rows: Sequence[int], device: str = "cpu") -> Photos:
        """The photos of these rows, copied."""
        chosen = list(rows)
        return Photos(
            self.pixels[chosen].to(device),
            tuple(self.keys[i] for i in chosen),
            self.person[chosen],
            None if self.other is None else self.other[chosen].to(device),
        )

    def draws(self, seed: int, name: str, draw: Callable[[np.random.Generator], Any]) -> list[Any]:
        """`draw` of each photo's own generator for the purpose `name`."""
        return [draw(generator(seed, "method", name, *key)) for key in self.keys]

    def field(self, seed: int, name: str, draw: Callable[[np.random.Generator, tuple[int, ...]], Any]) -> Tensor:
        """(n, 3, H, W) float32 of draws of one picture's shape (3, H, W)."""
        import torch

        shape = tuple(self.pixels.shape[1:])
        drawn = self.draws(seed, name, lambda g: np.asarray(draw(g, shape), dtype=np.float32))
        return torch.from_numpy(np.stack(drawn)).to(self.pixels.device)


class LatentGenerator(Protocol):
    """An autoencoder or a generator with a projector. Both ways a picture does not feel its neighbours."""

    def encode(self, pixels: Tensor) -> Tensor:
        """Latents (n, …) of pictures (n, 3, H, W) in [0, 1]."""

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures (n, 3, H, W) in [0, 1] of latents, differentiable."""


class Tools(Protocol):
    """What a cloak may use. Networks are in evaluation mode and take float32 pictures in [0, 1] on `device`.

    decoys        (K, 3, H, W) photos of people who are in no gallery, no probe and no target
    decoy_person  (K,) their names
    """

    device: str
    decoys: Tensor
    decoy_person: NDArray[np.str_]

    def members(self, words: str) -> tuple[str, ...]:
        """The recognisers that an option `surrogates` names: "a+b", "all", "all-but a", "all-but-family a"."""

    def surrogate(self, name: str) -> Callable[[Tensor], Tensor]:
        """Pictures (n, 3, H, W) to vectors (n, D), differentiable; of unit length where it is a recogniser."""

    def ask(self, name: str, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Vectors (n, D) of pictures (n, H, W, 3) by a recogniser that shows no gradients. Charges n queries itself."""

    def generator(self, name: str) -> LatentGenerator:
        """The generator of that name."""

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """(n,) perceptual distance of pictures, differentiable."""

    def target(self, key: tuple[str, ...]) -> Tensor | None:
        """(3, H, W) the photo of whom the photo `key` should be taken for, to optimise on; None where nobody is."""

    def charge(self, kind: str, count: int) -> None:
        """Count a cost. Kinds, of one photo each and charged by the method:

        gradient  through one recogniser forwards and backwards;  decoder  through a generator's decoder (and back)
        """


def blocks(photos: Photos, device: str) -> Iterator[tuple[Photos, int]]:
    """Photos in blocks of `BLOCK`, copied to the device, and how many of each are real: the rest fills the last one."""
    last = len(photos) - 1
    for start in range(0, len(photos), BLOCK):
        rows = [min(i, last) for i in range(start, start + BLOCK)]
        yield photos.at(rows, device), min(BLOCK, len(photos) - start)


def in_blocks(photos: Photos, tools: Tools, work: Callable[[Photos], Tensor]) -> Tensor:
    """What `work` makes of every photo, block by block: (n, …) on the CPU. Gradients may be taken inside."""
    import torch

    if not len(photos):
        return photos.pixels.clone()
    with torch.inference_mode(False), torch.enable_grad():
        return torch.cat([work(block).detach()[:real].cpu() for block, real in blocks(photos, tools.device)])


def levels(pixels: Tensor) -> Tensor:
    """The nearest of the 256 levels, as an 8-bit file keeps them."""
    return (pixels.clamp(0.0, 1.0) * LEVELS).round() / LEVELS
