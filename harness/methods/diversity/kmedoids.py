"""Noise k-medoids: of M = factor · B noises, the B medoids of their block means are the initial noises of a group.

Cost Σ_i min_m ‖P(z_i) - P(z_m)‖ over draws, P = means of pool × pool blocks (4×64×64 latents: 4×8×8). Start:
k-medoids++ (weights d²), every draw holding a keyed exponential race, so that the
medoids do not depend on the order of the draws; then the best swap of a medoid and a draw until none lowers
the cost. Candidates 0 … B-1 are the shared base noises; a base noise that is a medoid stays its item's, so M = B is
i.i.d. bit for bit. Medoids are draws and keep their own norms; norm: match gives them those of the items' base noises.
Ours: no canonical source; generation.md section 6.7.
What to expect: a medoid is central, not far out, and in many dimensions central draws are those of small norm. On
4×64×64 with B = 8 the pooled distance *falls*, from 2.82 of i.i.d. to 2.69 (factor 10) and 2.50 (factor 50), and the
pooled norm from 1.99 to 1.89 and 1.77. Read it beside `norm_matched_kmedoids` with match: spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.diversity.diverse_diffusion import Norm
from harness.methods.diversity.spread import distances, normed, pool
from harness.methods.diversity.subsets import seated
from harness.methods.method import Couples, Group, Sampling, Source, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor


@method("kmedoids", couples=Couples.GROUP, source=Source("Noise-space k-medoids (ours)", licence="none needed"))
@dataclass(frozen=True)
class Kmedoids(Sampling):
    """Initial noises are the medoids of many draws, compared by block means."""

    factor: int = option(
        10, unit="draws an item", at_least=1, help="noises drawn; 1 is i.i.d.", source="ours: 10 to 50"
    )
    pool: int = option(8, unit="latent cells", at_least=1, help="side of the pooled blocks", source="ours, as max_pool")
    norm: Norm = option(Norm.KEEP, help="keep each draw's norm, or match that of the item's base noise", source="ours")

    def initial_noise(self, noise: Tensor, group: Group) -> Tensor:
        import torch

        count, shape = len(noise), tuple(noise.shape[1:])
        if self.factor == 1:
            return noise
        order = sorted(range(count), key=lambda i: group.samples[i])  # so that permuting a group permutes its result
        names = [(c, group.samples[i]) for c in range(self.factor) for i in order]
        more = [group.normal(shape, s, "candidate", c) for c, s in names[count:]]
        draws = torch.cat([noise[order], torch.stack(more)])
        races = torch.stack([race(group.normal((count, 2), s, "race", c)) for c, s in names], dim=1)
        apart = distances(*[pool(draws, self.pool).flatten(1).double()] * 2)
        chosen, swaps = medoids(apart, races)
        group.log("swaps", 0, swaps)
        result = torch.empty_like(noise)
        result[order] = draws[seated(chosen, [group.samples[i] for i in order])]
        if self.norm == Norm.MATCH:
            result = normed(result, noise)
        return noise if torch.equal(result, noise) else result


def race(pair: Tensor) -> Tensor:
    """(…) exponential variates of rate 1 from (…, 2) normal ones: half of a χ² with two degrees of freedom."""
    result: Tensor = (pair.double() ** 2).sum(-1) / 2
    return result


def medoids(apart: Tensor, races: Tensor) -> tuple[list[int], int]:
    """Sorted medoids (k of them) of M points, and the number of swaps.

    apart  (M, M) float64 distances;  races (k, M) exponential variates of rate 1: row j decides the j-th start point,
           drawn with probability proportional to d² (the first one: uniformly)
    """
    import torch

    chosen = [int(races[0].argmin())]
    for row in races[1:]:
        weight = apart[:, chosen].min(1).values ** 2
        weight[chosen] = 0.0
        time = torch.where(weight > 0, row / weight.clamp_min(1e-300), torch.inf)
        free = [i for i in range(len(apart)) if i not in chosen]
        chosen.append(int(time.argmin()) if bool(time.isfinite().any()) else free[0])
    swaps = 0
    while True:
        gain, leaves, enters = best_swap(apart, chosen, races[0])
        if gain <= 1e-9 * float(apart.mean()):
            return sorted(chosen), swaps
        chosen[leaves], swaps = enters, swaps + 1


def best_swap(apart: Tensor, chosen: list[int], order: Tensor) -> tuple[float, int, int]:
    """The largest fall of the cost by one swap: its size, the position in `chosen` that leaves, what enters.

    order  (M,) decides between swaps that are equal but for rounding: either end of a cluster of two is its medoid
    """
    import torch

    near, owner = apart[:, chosen].min(1)
    second = (
        apart[:, chosen].topk(2, largest=False).values[:, 1] if len(chosen) > 1 else torch.full_like(near, torch.inf)
    )
    stay = (apart - near[:, None]).clamp_max(0.0)  # (i, x): change for i if x enters and i's medoid stays
    lost = torch.minimum(apart, second[:, None]) - near[:, None] - stay  # what is added if i's medoid leaves
    change = torch.zeros(len(chosen), len(apart), dtype=apart.dtype).index_add_(0, owner, lost) + stay.sum(0)
    change[:, chosen] = torch.inf
    lowest = change.min()
    equal = (change <= lowest + 1e-9 * apart.mean()).nonzero().tolist()
    leaves, enters = min(equal, key=lambda at: (float(order[at[1]]), float(order[chosen[at[0]]])))
    return -float(lowest), leaves, enters
