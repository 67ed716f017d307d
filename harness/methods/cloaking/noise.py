"""Noise as strong as a cloak: what a change of that size does that knows no recogniser.

x' = x + s z, rounded to 8 bits, z N(0, 1) or ±1 with equal odds, s the largest scale at which the picture on file is no
further from the photo than `amount`: by its largest change, or by perceptual distance. The two are separate rows,
because a cloak's largest change says little of what is seen. Source: face_privacy.md section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.methods.cloaking.matching import Match, amount_of, matched
from harness.methods.cloaking.photos import Photos, Tools, in_blocks, levels
from harness.methods.method import Source, Transform, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

MOST = 2.0  # scale of the noise at which every pixel is at the end of its range


class Draw(StrEnum):
    """How a pixel's noise is drawn."""

    GAUSSIAN = "gaussian"
    SIGN = "sign"


@method("noise", source=Source(title="Matched noise", licence="none needed"), requires="the distance that is matched")
@dataclass(frozen=True)
class Noise(Transform):
    """Amount 0 is the photo."""

    draw: Draw = option(Draw.GAUSSIAN, help="of every pixel and channel by itself", source="ours")
    match: Match = option(Match.LINF, help="what `amount` is", source="ours")
    amount: float = option(8.0, unit="of 255, or a distance", at_least=0, help="of the change", source="pgd's default")

    def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        return in_blocks(photos, tools, lambda block: self._noisy(block, tools, seed))

    def _noisy(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        x = photos.pixels
        if not self.amount:
            return x
        if self.draw is Draw.GAUSSIAN:
            z = photos.field(seed, self.name, lambda g, shape: g.standard_normal(shape))
        else:
            z = photos.field(seed, self.name, lambda g, shape: g.integers(0, 2, shape) * 2 - 1)
        return matched(lambda s: levels(x + s * z), amount_of(self.match, tools, x), self.amount, MOST, x)
