"""Diverse Diffusion: the initial noises of a group are chosen far from each other; the sampler is untouched.

Candidates z ~ N(0, I), Euclidean distance, one item after the other. cap: re-draw until min_j ‖z - z_j‖ ≥ threshold;
max: the best of `tries` draws; *_pool: the same on block means P(z); dispersion: greedy max-min on the unit sphere with
half of the tries, then every point against the other half, distances after a Gaussian blur of (H, W).
Source: arXiv 2310.12583; mzameshina/diverse-diffusion@354eb30 (no licence: re-implemented), nevergrad 1.0.12
`quasi_randomize` (MIT) for dispersion; generation.md section 3. Ours: budgets are counts of draws instead of seconds,
blur on (H, W) only, own keys; the first draw of an item is its shared base noise, so tries = 1 is i.i.d. bit for bit.
The raw gain is norm inflation (+1.1 % distance is +1.1 % norm): read it beside `norm_matched_noise`.
The thresholds 182 and 3.1 belong to 4×64×64 latents; they are the quantiles .837 and .985 of i.i.d. distances there.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.methods.diversity.spread import blur, distances, farthest, iid_distance, normed, pool
from harness.methods.method import Couples, Group, Sampling, Source, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)


class Variant(StrEnum):
    CAP = "cap"
    MAX_REAL = "max_real"
    CAP_POOL = "cap_pool"
    MAX_POOL = "max_pool"
    DISPERSION = "dispersion"


class Norm(StrEnum):
    KEEP = "keep"
    MATCH = "match"


@method(
    "diverse_diffusion",
    couples=Couples.GROUP,
    source=Source("Diverse Diffusion", "arXiv 2310.12583", "github.com/mzameshina/diverse-diffusion", "none found"),
)
@dataclass(frozen=True)
class DiverseDiffusion(Sampling):
    """Selection among initial noises."""

    variant: Variant = option(Variant.MAX_REAL, help="how noises are chosen", source="official scripts")
    tries: int = option(101, unit="draws", at_least=1, help="draws an item (max_*, dispersion)", source="1 + 100, code")
    threshold: float | None = option(
        None, unit="latent L2", at_least=0.0, help="least distance (cap*); official 182, pooled 3.1, on 4×64×64"
    )
    threshold_quantile: float = option(
        0.837,
        unit="share",
        at_least=0.0,
        below=1.0,
        help="without a threshold (cap*): this quantile of the distance of two i.i.d. noises of the latent's shape",
        source="ours; 182 is this quantile on 4×64×64",
    )
    max_tries: int = option(1000, unit="draws", at_least=1, help="draws before the threshold is relaxed", source="ours")
    relax: float = option(0.01, unit="share", above=0.0, below=1.0, help="step of the relaxation", source="ours")
    pool: int = option(8, unit="latent cells", at_least=1, help="side of the pooled blocks (*_pool)", source="code")
    blur: float = option(
        0.0, unit="latent cells", at_least=0.0, help="σ of the blur (dispersion); big conv 24, conv 8, mini 2 on 64×64"
    )
    norm: Norm = option(Norm.KEEP, help="keep each norm, or match that of the item's first draw", source="code: keep")

    def initial_noise(self, noise: Tensor, group: Group) -> Tensor:
        import torch

        shape = tuple(noise.shape[1:])
        if self.variant == Variant.DISPERSION:
            chosen = self._dispersed(noise, group)
        elif self.variant in (Variant.CAP, Variant.CAP_POOL):
            chosen = self._capped(noise, group)
        else:
            chosen = farthest(noise, lambda i: self._draws(group, i, shape, 1, self.tries), self._features)
        if self.norm == Norm.MATCH:
            chosen = normed(chosen, noise)
        return noise if torch.equal(chosen, noise) else chosen

    def _draws(self, group: Group, item: int, shape: tuple[int, ...], start: int, stop: int) -> Tensor:
        """Candidates `start` … `stop`-1 of an item, (K, C, H, W); number 0 is the base noise."""
        import torch

        drawn = [group.normal(shape, group.samples[item], "candidate", k) for k in range(start, stop)]
        return torch.stack(drawn) if drawn else torch.empty(0, *shape)

    def _features(self, z: Tensor) -> Tensor:
        """(K, F) float64 whose Euclidean distance is the variant's."""
        pooled = self.variant in (Variant.CAP_POOL, Variant.MAX_POOL)
        return (pool(z, self.pool) if pooled else z).flatten(1).double()

    def _threshold(self, shape: tuple[int, ...]) -> float:
        if self.threshold is not None:
            return self.threshold
        block = self.pool if self.variant == Variant.CAP_POOL else 1
        return iid_distance(self.threshold_quantile, shape, block)

    def _capped(self, noise: Tensor, group: Group) -> Tensor:
        import torch

        shape = tuple(noise.shape[1:])
        limit, total, relaxed = self._threshold(shape), 0, 0
        kept: list[Tensor] = []
        features: list[Tensor] = []
        for i in range(len(noise)):
            tries = 0
            while True:
                z = noise[i] if tries == 0 else self._draws(group, i, shape, tries, tries + 1)[0]
                tries += 1
                f = self._features(z[None])[0]
                if not features or float((torch.stack(features) - f).norm(dim=1).min()) >= limit:
                    break
                if tries % self.max_tries == 0:
                    limit, relaxed = limit * (1.0 - self.relax), relaxed + 1
                    logger.info("%s: item %d of %d: threshold relaxed to %.4g", self.name, i, len(noise), limit)
            total += tries
            kept.append(z)
            features.append(f)
        group.log("tries", 0, total / len(noise))
        group.log("relaxed", 0, relaxed)
        group.log("threshold", 0, limit)
        return torch.stack(kept)

    def _dispersed(self, noise: Tensor, group: Group) -> Tensor:
        import torch

        shape, half = tuple(noise.shape[1:]), 1 + (self.tries - 1) // 2

        def features(z: Tensor) -> Tensor:
            flat = z.flatten(1).double()
            on_sphere = (flat / flat.norm(dim=1, keepdim=True)).view(len(z), *shape)
            return (blur(on_sphere, self.blur) if self.blur > 0 else on_sphere).flatten(1)

        chosen = farthest(noise, lambda i: self._draws(group, i, shape, 1, half), features)
        for i in range(len(noise) if len(noise) > 1 else 0):
            others = features(torch.cat([chosen[:i], chosen[i + 1 :]]))
            candidates = torch.cat([chosen[i : i + 1], self._draws(group, i, shape, half, self.tries)])
            best = int(distances(features(candidates), others).min(dim=1).values.argmax())
            if best:
                chosen = torch.cat([chosen[:i], candidates[best : best + 1], chosen[i + 1 :]])
        return chosen
