"""Toy recognisers, a toy generator and the tools of a cloak, small enough for closed forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from harness import keys
from harness.methods.cloaking.photos import Photos

SIDE = 16
PEOPLE = 6


def weights(*shape: int, name: str = "toy") -> Tensor:
    return keys.normal(shape, 0, "world", name)


def linear(size: int = 8, *, name: str = "linear", side: int = SIDE, unit: bool = True) -> Callable[[Tensor], Tensor]:
    """W x, of unit length or not; `.w` is W (size, 3 side²)."""
    w = weights(size, 3 * side * side, name=name)

    def embed(x: Tensor) -> Tensor:
        v = (x - 0.5).flatten(1) @ w.T.to(x.dtype)
        return functional.normalize(v) if unit else v

    embed.w = w  # type: ignore[attr-defined]
    return embed


def cnn(name: str = "cnn") -> Callable[[Tensor], Tensor]:
    """Two convolutions, a mean over places, a matrix."""
    a, b, c = (
        weights(8, 3, 3, 3, name=name) / 3,
        weights(12, 8, 3, 3, name=name + "b") / 6,
        weights(10, 12, name=name + "c"),
    )

    def embed(x: Tensor) -> Tensor:
        h = functional.silu(functional.conv2d(2 * x - 1, a, stride=2, padding=1))
        h = functional.silu(functional.conv2d(h, b, stride=2, padding=1))
        return functional.normalize(h.mean((2, 3)) @ c.T)

    return embed


class Pooled:
    """Latents are 2 x 2 means less one half; decoding repeats them, with a gain that makes the round trip lossy."""

    gain = 0.9

    def encode(self, pixels: Tensor) -> Tensor:
        return functional.avg_pool2d(pixels, 2) - 0.5

    def decode(self, latents: Tensor) -> Tensor:
        return (functional.interpolate(latents * self.gain, scale_factor=2.0) + 0.5).clamp(0.0, 1.0)


def picture(name: str, side: int = SIDE) -> Tensor:
    """A smooth colored picture of 8-bit levels (3, side, side)."""
    coarse = torch.from_numpy(keys.generator(0, "world", "picture", name).uniform(0.1, 0.9, (1, 3, 4, 4)))
    smooth = functional.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=False)[0]
    return ((smooth * 255).round() / 255).float()


def photos(count: int = 3, *, side: int = SIDE, first: int = 0) -> Photos:
    names = [f"person{i}" for i in range(first, first + count)]
    return Photos(
        torch.stack([picture(n, side) for n in names]),
        tuple((n, "0") for n in names),
        np.array(names),
        torch.stack([picture(n + "/other", side) for n in names]),
    )


@dataclass
class ToyTools:
    """Everything in memory; `charged` counts, `asked` counts pictures shown to black boxes."""

    nets: dict[str, Callable[[Tensor], Tensor]]
    side: int = SIDE
    impersonated: Tensor | None = None
    latent: Any = field(default_factory=Pooled)
    device: str = "cpu"
    charged: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        people = [f"decoy{i}" for i in range(PEOPLE) for _ in range(2)]
        self.decoys = torch.stack([picture(f"{p}/{i}", self.side) for i, p in enumerate(people)])
        self.decoy_person = np.array(people)

    def members(self, words: str) -> tuple[str, ...]:
        return tuple(self.nets) if words == "all" else tuple(words.split("+"))

    def surrogate(self, name: str) -> Callable[[Tensor], Tensor]:
        return self.nets[name]

    def ask(self, name: str, images: Any) -> Any:
        assert images.dtype == np.uint8
        assert images.shape[1:] == (self.side, self.side, 3)
        self.charge("queries", len(images))
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            return torch.cat([self.nets[name](p[None]) for p in pixels]).numpy()

    def generator(self, name: str) -> Any:
        assert name == "avatars-vq"
        return self.latent

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Squared difference after a blur and as it is: convex in a."""
        off = a - b
        return off.square().mean((1, 2, 3)) + 4 * functional.avg_pool2d(off, 2).square().mean((1, 2, 3))

    def target(self, key: tuple[str, ...]) -> Tensor | None:
        return self.impersonated

    def charge(self, kind: str, count: int) -> None:
        self.charged[kind] = self.charged.get(kind, 0) + count


def tools(**more: Any) -> ToyTools:
    side = more.get("side", SIDE)
    return ToyTools({"linear": linear(side=side), "cnn": cnn(), "other": cnn("other")}, **more)


def eight_bits(pixels: Tensor) -> Tensor:
    return (pixels.clamp(0, 1) * 255).round().byte()
