"""Controls of noise selection: i.i.d. noise with the norm, or norm and low-frequency power, of the noises it chose.

norm: w' = w ‖z‖/‖w‖. spectrum: with L the block-mean projector, w' = L w ‖L z‖/‖L w‖ + (w - L w) ‖z - L z‖/‖w - L w‖.
w is the item's shared base noise (the first draw of the method) and z what the method that is controlled makes of the
group with the same options. What diversity remains here is energy, not arrangement (generation.md section 3, rules.md
3). Whole norm matching leaves ‖P(z)‖ of pooled variants inflated: use spectrum for those. Ours; both identities hold to
1e-6.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.methods.diversity.diverse_diffusion import DiverseDiffusion
from harness.methods.diversity.kmedoids import Kmedoids
from harness.methods.diversity.riesz import Riesz
from harness.methods.diversity.spread import block_mean
from harness.methods.method import Couples, Group, Sampling, Source, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor


class Match(StrEnum):
    NORM = "norm"
    SPECTRUM = "spectrum"


@dataclass(frozen=True)
class Matched(Sampling):
    """What the controls share: the norms of `super()`'s noises on the base noises. `pool` is the block side."""

    match: Match = option(Match.NORM, help="what is matched; `pool` is the block side of spectrum", source="ours")

    def initial_noise(self, noise: Tensor, group: Group) -> Tensor:
        import torch

        target = super().initial_noise(noise, group)
        if target is noise:
            return noise
        if self.match == Match.NORM:
            matched = scaled(noise, target)
        else:
            side: int = self.pool  # type: ignore[attr-defined]
            low, wanted = block_mean(noise.double(), side), block_mean(target.double(), side)
            matched = scaled(low, wanted) + scaled(noise.double() - low, target.double() - wanted)
        same = (target == noise).flatten(1).all(1).view(-1, 1, 1, 1)
        return torch.where(same, noise, matched.float())


@method(
    "norm_matched_noise", couples=Couples.GROUP, source=Source("Control of Diverse Diffusion", licence="none needed")
)
@dataclass(frozen=True)
class NormMatchedNoise(Matched, DiverseDiffusion):
    """The options of the row of Diverse Diffusion that it controls, and what is matched."""

    control_of = "diverse_diffusion"


@method("norm_matched_kmedoids", couples=Couples.GROUP, source=Source("Control of k-medoids", licence="none needed"))
@dataclass(frozen=True)
class NormMatchedKmedoids(Matched, Kmedoids):
    """The options of the row of k-medoids that it controls, and what is matched."""

    control_of = "kmedoids"


@method("norm_matched_riesz", couples=Couples.GROUP, source=Source("Control of Riesz noise", licence="none needed"))
@dataclass(frozen=True)
class NormMatchedRiesz(Matched, Riesz):
    """The options of the row of Riesz noise that it controls; norms are equal anyway, so only spectrum differs."""

    control_of = "riesz"

    match: Match = option(Match.SPECTRUM, help="what is matched", source="ours: norms are those of the base noises")
    pool: int = option(8, unit="latent cells", at_least=1, help="block side of spectrum", source="as max_pool")


def scaled(w: Tensor, z: Tensor) -> Tensor:
    """w (B, …) with the norms of z; zero stays zero."""
    import torch

    shape = (-1, *[1] * (w.ndim - 1))
    own, wanted = w.flatten(1).double().norm(dim=1), z.flatten(1).double().norm(dim=1)
    return w * torch.where(own > 0, wanted / own, own).view(shape)
