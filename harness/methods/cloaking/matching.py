"""How far to go: the largest scale of a change at which a photo is no further from itself than an amount."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.methods.cloaking.photos import LEVELS, Tools

if TYPE_CHECKING:
    from torch import Tensor

HALVINGS = 16


class Match(StrEnum):
    """What is held equal."""

    LINF = "linf"  # the largest change, of 255
    PERCEPTUAL = "perceptual"  # the distance of the tools


def amount_of(match: Match, tools: Tools, pixels: Tensor) -> Callable[[Tensor], Tensor]:
    """How much pictures (n, 3, H, W) differ from `pixels`: (n,), in the unit of the match."""
    if match is Match.LINF:
        # to a thousandth of a level: differences of float32 levels are not whole
        return lambda made: ((made - pixels).abs().amax(dim=(1, 2, 3)) * LEVELS).round(decimals=3)
    return lambda made: tools.distance(made, pixels).detach()


def matched(
    made: Callable[[Tensor], Tensor], measure: Callable[[Tensor], Tensor], amount: float, most: float, like: Tensor
) -> Tensor:
    """Pictures made(s) with the largest s in [0, most] of each photo at which measure(made(s)) ≤ amount, by halving.

    made(s (n, 1, 1, 1)) → (n, 3, H, W). Where the amount is not reached s is `most` less its 2^-16th part; where even
    s = 0 is beyond it s is 0.
    """
    import torch

    low, high = torch.zeros(len(like), device=like.device), torch.full((len(like),), most, device=like.device)
    with torch.no_grad():
        for _ in range(HALVINGS if amount else 0):
            middle = (low + high) / 2
            within = measure(made(middle[:, None, None, None])) <= amount * (1 + 1e-6)  # a float32 rounding
            low, high = middle.where(within, low), high.where(within, middle)
        return made(low[:, None, None, None])
