"""Riesz energy: the initial noises of a group repel each other on a sphere and go back to their own norms.

x_i = z_i/‖z_i‖;  F_i = Σ_j (x_i - x_j)/‖x_i - x_j‖^(r+2);  x_i ← normalised x_i + step · F_i, `iterations` times;
z_i' = ‖z_i‖ x_i. smooth: points takes F at blurred points, forces blurs F; the Gaussian blur is over height and width.
Without blur up to d + 1 points end in a regular simplex, cosine -1/(B-1) of every pair, whatever r: on 4×64×64 with
B = 8 the distance rises from 181.2 to 193.6 and block means keep their norm (2.0). With blur the noise ends as nearly
all low frequency: at the published step and count the pooled norm goes from 2.0 to 16, far from anything the sampler
was trained on. Each item keeps its norm, so only match: spectrum of `norm_matched_riesz` shows what is arrangement.
Source: nevergrad 1.0.12 `Riesz_*` (MIT), re-implemented; generation.md section 3. Published code: the named variants
pass 100 (meant as iterations) where the budget in centiseconds stands, so the asked budget is ignored; the unblurred
and the blurred-force ones also ignore the step size (1 acts); the points given by the user are discarded but for their
count and norms; global generator. Ours: iterations are a count, the step acts everywhere, the shared noises start.
Points that coincide have no direction and do not push each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.methods.diversity.spread import blur, distances, normed
from harness.methods.method import Couples, Group, Sampling, Source, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

COINCIDENT = 1e-7  # distance on the unit sphere below which two points have no direction (Gram matrix, float64)


class Smooth(StrEnum):
    """What is blurred: "noblur", "blurred" and "blursum" of the published names."""

    NOTHING = "nothing"
    POINTS = "points"
    FORCES = "forces"


@method(
    "riesz",
    couples=Couples.GROUP,
    source=Source(
        "Diverse Diffusion, Riesz variants", "arXiv 2310.12583", "github.com/facebookresearch/nevergrad", "MIT"
    ),
)
@dataclass(frozen=True)
class Riesz(Sampling):
    """Initial noises descend the Riesz energy of their directions."""

    exponent: float = option(2.0, unit="1", above=0.0, help="r of the energy; published .3, .5, 1, 2, 5", source="code")
    step: float = option(10.0, unit="1", at_least=0.0, help="step of the descent; 0 is i.i.d.", source="code")
    iterations: int = option(100, unit="steps", at_least=0, help="steps of the descent; 0 is i.i.d.", source="code")
    smooth: Smooth = option(Smooth.NOTHING, help="what is blurred", source="code: noblur, blurred, blursum")
    blur: float = option(
        8.0, unit="latent cells", above=0.0, help="σ of the blur; big 24, conv 8, mini 2 on 64×64", source="code"
    )

    def initial_noise(self, noise: Tensor, group: Group) -> Tensor:
        if len(noise) < 2 or self.iterations == 0 or self.step == 0:
            return noise
        x = noise.double()
        x = x / x.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        before = self.energy(x)
        for _ in range(self.iterations):
            x = x + self.step * self.force(x)
            x = x / x.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        group.log("energy", 0, self.energy(x) / before)
        return normed(x, noise)

    def force(self, x: Tensor) -> Tensor:
        """F (B, C, H, W) at unit points x, blurred as the options say."""
        seen = blur(x, self.blur) if self.smooth == Smooth.POINTS else x
        flat = seen.flatten(1)
        weight = self._inverse(flat, self.exponent + 2.0)
        pushed = (weight.sum(1, keepdim=True) * flat - weight @ flat).view_as(x)
        return blur(pushed, self.blur) if self.smooth == Smooth.FORCES else pushed

    def energy(self, x: Tensor) -> float:
        """Σ over ordered pairs of ‖x_i - x_j‖^-r, of the points as the options see them."""
        seen = blur(x, self.blur) if self.smooth == Smooth.POINTS else x
        return max(float(self._inverse(seen.flatten(1), self.exponent).sum()), 1e-300)

    def _inverse(self, flat: Tensor, power: float) -> Tensor:
        """(B, B) distances to the power -p; 0 for a point and itself, and for points that coincide."""
        import torch

        apart = distances(flat, flat)
        apart.fill_diagonal_(0.0)
        return torch.where(apart > COINCIDENT, apart.clamp_min(COINCIDENT) ** -power, torch.zeros_like(apart))
