"""Antithetic noise: the items of a group come in pairs that start from z and -z.

In order of their sample numbers, the first half of a group keeps its shared noises and the second half starts from the
negatives of them; the last item of an odd group keeps its own.
Norm and spectrum of a pair are equal by construction, so no energy is added. Pairs sum to 0 exactly.
Source: the oldest variance reduction there is; `antithetic_pm` of nevergrad 1.0.12 (MIT); generation.md section 6.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.method import Couples, Group, Sampling, Source, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor


@method("antithetic", couples=Couples.GROUP, source=Source("Antithetic sampling", licence="none needed"))
@dataclass(frozen=True)
class Antithetic(Sampling):
    """The second half of a group starts from the negatives of the first half's noises."""

    pairs: int | None = option(
        None, unit="pairs", at_least=0, help="pairs of a group that are made antithetic; none given: all", source="ours"
    )

    def initial_noise(self, noise: Tensor, group: Group) -> Tensor:
        most = len(noise) // 2
        pairs = most if self.pairs is None else min(self.pairs, most)
        if pairs == 0:
            return noise
        result = noise.clone()
        order = sorted(range(len(noise)), key=lambda i: group.samples[i])
        result[order[most : most + pairs]] = -noise[order[:pairs]]
        return result
