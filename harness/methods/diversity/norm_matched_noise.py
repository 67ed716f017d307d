"""Control of Diverse Diffusion: i.i.d. noise with the norm, or norm and low-frequency power, of the noises it chose.

norm: w' = w ‖z‖/‖w‖. spectrum: with L the block-mean projector, w' = L w ‖L z‖/‖L w‖ + (w - L w) ‖z - L z‖/‖w - L w‖.
w is the item's shared base noise (the first draw of the method) and z what `diverse_diffusion` with the same options
makes of the group. What diversity remains here is energy, not arrangement (generation.md section 3, rules.md 3). Whole
norm matching leaves ‖P(z)‖ of pooled variants inflated: use spectrum for those. Ours; both identities hold to 1e-6.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.methods.diversity.diverse_diffusion import DiverseDiffusion
from harness.methods.diversity.spread import block_mean
from harness.methods.method import Couples, Group, Source, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor


class Match(StrEnum):
    NORM = "norm"
    SPECTRUM = "spectrum"


@method(
    "norm_matched_noise", couples=Couples.GROUP, source=Source("Control of Diverse Diffusion", licence="none needed")
)
@dataclass(frozen=True)
class NormMatchedNoise(DiverseDiffusion):
    """The options of the row that it controls, and what is matched."""

    control_of = "diverse_diffusion"

    match: Match = option(Match.NORM, help="what is matched; `pool` is the block side of spectrum", source="ours")

    def initial_noise(self, noise: Tensor, group: Group) -> Tensor:
        import torch

        target = super().initial_noise(noise, group)
        if target is noise:
            return noise
        if self.match == Match.NORM:
            matched = scaled(noise, target)
        else:
            low, wanted = block_mean(noise.double(), self.pool), block_mean(target.double(), self.pool)
            matched = scaled(low, wanted) + scaled(noise.double() - low, target.double() - wanted)
        same = (target == noise).flatten(1).all(1).view(-1, 1, 1, 1)
        return torch.where(same, noise, matched.float())


def scaled(w: Tensor, z: Tensor) -> Tensor:
    """w (B, …) with the norms of z; zero stays zero."""
    import torch

    shape = (-1, *[1] * (w.ndim - 1))
    own, wanted = w.flatten(1).double().norm(dim=1), z.flatten(1).double().norm(dim=1)
    return w * torch.where(own > 0, wanted / own, own).view(shape)
