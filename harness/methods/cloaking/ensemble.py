"""Surrogates of a cloak: recognisers whose gradients it follows, their sum as an ensemble, and what it aims at."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from harness.methods.cloaking.photos import Photos, Tools, in_blocks
from harness.methods.method import Transform

if TYPE_CHECKING:
    from torch import Tensor

WORDS = "recognisers that are optimised: names joined by +, all, all-but NAME or all-but-family NAME"
FIRST = "avatars-resnet-a"


class Goal(StrEnum):
    """What a cloak wants of a recogniser."""

    DODGE = "dodge"  # away from the photo's own vector
    IMPERSONATE = "impersonate"  # towards the vector of the photo's target


@dataclass(frozen=True)
class Ensemble:
    """Opened surrogates, in the order of their names. `memo` holds what the blocks of one call share."""

    networks: tuple[Callable[[Tensor], Tensor], ...]
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, tools: Tools, words: str) -> Ensemble:
        return cls(tuple(tools.surrogate(name) for name in tools.members(words)))

    def __len__(self) -> int:
        return len(self.networks)

    def vectors(self, pixels: Tensor) -> list[Tensor]:
        """(n, D) of each surrogate, of pictures (n, 3, H, W)."""
        return [network(pixels) for network in self.networks]

    def known(self, pixels: Tensor) -> list[Tensor]:
        """The same without gradients."""
        return [network(pixels).detach() for network in self.networks]


def squares(vectors: list[Tensor], references: list[Tensor]) -> Tensor:
    """(n,) sum over surrogates of ‖v - r‖²; of unit vectors 2 - 2 cos, so that one loss serves both conventions."""
    import torch

    return torch.stack([(v - r).square().sum(dim=-1) for v, r in zip(vectors, references, strict=True)]).sum(dim=0)


def targets(photos: Photos, tools: Tools) -> Tensor:
    """(n, 3, H, W) the targets of the photos. Raises ValueError for a photo that has none."""
    import torch

    found = [tools.target(key) for key in photos.keys]
    without = next((key for key, t in zip(photos.keys, found, strict=True) if t is None), None)
    if without is not None:
        raise ValueError(f"goal impersonate: photo {'/'.join(without)} has no target")
    return torch.stack([t for t in found if t is not None]).to(photos.pixels.device)


def aim(goal: Goal, ensemble: Ensemble, photos: Photos, tools: Tools) -> Callable[[Tensor], Tensor]:
    """Pictures (n, 3, H, W) to losses (n,): ‖phi(x') - phi(t)‖², or -‖phi(x') - phi(x)‖² to dodge."""
    if goal is Goal.IMPERSONATE:
        wanted = ensemble.known(targets(photos, tools))
        return lambda x: squares(ensemble.vectors(x), wanted)
    own = ensemble.known(photos.pixels)
    return lambda x: -squares(ensemble.vectors(x), own)


def slope(loss: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Gradient at x (n, …) of the losses (n,), each of its own row."""
    import torch

    at = x.detach().requires_grad_(True)
    return torch.autograd.grad(loss(at).sum(), at)[0]


class Cloak(Transform):
    """A transform that follows gradients of surrogates, block by block."""

    surrogates: str
    decodings: int = 0  # of a photo by a generator

    @property
    @abstractmethod
    def gradients(self) -> int:
        """Gradients taken of a photo through every surrogate."""

    @abstractmethod
    def cloak(self, photos: Photos, ensemble: Ensemble, tools: Tools, seed: int) -> Tensor:
        """Protected pictures (n, 3, H, W) in [0, 1] of one block."""

    def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        ensemble = Ensemble.of(tools, self.surrogates)
        costs = {"gradient": self.gradients * len(ensemble), "decoder": self.decodings}
        for kind, count in costs.items():
            if count:
                tools.charge(kind, count * len(photos))
        return in_blocks(photos, tools, lambda block: self.cloak(block, ensemble, tools, seed))
