"""Mirrored noise: start from the shared noise, mirrored left to right.

x_T' = flip(x_T). The mirrored draw is as likely as the draw, so no distributional metric may move: a control.
Source: none needed. Strength 0 (`every: 0`) is the untouched sampler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.method import Group, Sampling, Source, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor


@method("mirrored_noise", version=1, source=Source(title="a worked example", licence="Apache-2.0"))
@dataclass(frozen=True)
class MirroredNoise(Sampling):
    """Every n-th sample of a prompt starts from mirrored noise."""

    every: int = option(1, unit="samples", at_least=0, help="mirror samples 0, n, 2n, …; 0 mirrors none", source="ours")

    def initial_noise(self, noise: Tensor, group: Group) -> Tensor:
        chosen = [i for i, sample in enumerate(group.samples) if self.every and sample % self.every == 0]
        if not chosen:
            return noise
        mirrored = noise.clone()
        mirrored[chosen] = noise[chosen].flip(-1)
        group.log("mirrored", 0, len(chosen) / len(group))
        return mirrored
