"""Particle guidance: the samples of a group repel each other at every noisy step, through a kernel on them.

F_i = Σ_j 2 k_ij (x_i - x_j) / h_i,  k_ij = exp(-d_ij² / h_i),  h_i = median_j(d_ij)² / ln(N-1), j ≠ i.
Latents: the score grows by c F(x); F scales as 1/x, so that VP- and VE-scaled latents give the same ε' = ε - b c F(x) =
ε - σ c F(x/a). Features: v = F(f(x0)) in the features of the decoded clean estimate, held constant, is pulled back
through network and decoder, x0' = x0 + σ² c Jᵀv, the denoiser's own Jacobian left out. c = coefficient · σ^power.
Source: arXiv 2310.13102; gcorso/particle-guidance (formula re-implemented); generation.md section 6.5. Ours: force 0
where the median is 0; of an even number of distances the lower middle one is the median (as torch.median has it).
Traps: in latents of 16 384 numbers the published strength moves ε by .2 % (N = 4): check activity before comparing.
Features cost a decoder and a gradient call an item and step, and must not be those that score. Two particles have
ln 1 = 0, an infinite h and no force: nothing is done.
Closed forms: equidistant k_ij = 1 / (N-1); identical particles force 0; N = 1 and N = 2 untouched; permuting permutes.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from harness.methods.method import Couples, Group, Sampling, Source, Stage, Step, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

FEWEST = 3  # particles that feel a force


class Space(StrEnum):
    LATENT = "latent"
    FEATURES = "features"


# Space → (coefficient, lowest σ) of the authors' code.
PUBLISHED = {Space.LATENT: (30.0, 1.0), Space.FEATURES: (8.0, 3.0)}


def kernel(x: Tensor) -> tuple[Tensor, Tensor]:
    """k (N, N) with diagonal 0, and h (N,), float64, of particles x (N, D), N ≥ 3. A row whose h is 0 is 0."""
    import torch

    count = len(x)
    others = ~torch.eye(count, dtype=torch.bool, device=x.device)
    d = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    h = d[others].view(count, count - 1).median(1).values ** 2 / math.log(count - 1)
    safe = torch.where(h > 0, h, torch.ones_like(h))
    k = torch.exp(-(d**2) / safe[:, None]) * others * (h > 0)[:, None]
    return k, h


def force(x: Tensor) -> Tensor:
    """F (N, D) float64 of particles x (N, D); 0 for fewer than three."""
    import torch

    x = x.double()
    if len(x) < FEWEST:
        return torch.zeros_like(x)
    x = x - x.mean(0)  # differences only: less to cancel
    k, h = kernel(x)
    safe = torch.where(h > 0, h, torch.ones_like(h))
    return 2.0 * (k.sum(1, keepdim=True) * x - k @ x) / safe[:, None]


@method(
    "particle_guidance",
    couples=Couples.GROUP,
    source=Source(
        "Particle guidance",
        paper="arXiv 2310.13102",
        code="github.com/gcorso/particle-guidance@ce7de74",
        licence="MIT; re-implemented",
    ),
    requires="groups of at least three samples; gradients through the decoder for features",
)
@dataclass(frozen=True)
class ParticleGuidance(Sampling):
    """Repulsion among the samples of a group, in latents or in features."""

    space: Space = option(Space.LATENT, help="where the kernel is", source="the code's first variant")
    extractor: str | None = option(None, help="feature network of the features variant: avatars, digits, …")
    coefficient: float | None = option(
        None, unit="1", at_least=0.0, help="strength; default: 30 for latents, 8 for features", source="authors' code"
    )
    power: float = option(
        0.0, unit="1", at_least=0.0, help="strength × σ^power", source="authors' code, latents: a constant"
    )
    sigma_min: float | None = option(
        None,
        unit="σ = b/a",
        at_least=0.0,
        help="active from; default: 1 for latents (σ < 1 is off), 3 for features (only σ > 3)",
        source="authors' code",
    )
    network: Any = field(default=None, repr=False, compare=False)  # Features, set by prepare

    def __post_init__(self) -> None:
        if (self.extractor is not None) != (self.space == Space.FEATURES):
            raise ValueError("`extractor` names the network of `space: features`: give both or neither")

    def prepare(self, stage: Stage) -> Self:
        return self if self.extractor is None else replace(self, network=stage.features(self.extractor))

    def strength(self, step: Step, group: Group) -> float:
        """c at a step; 0 where the method is off."""
        coefficient, lowest = PUBLISHED[self.space]
        coefficient = coefficient if self.coefficient is None else self.coefficient
        lowest = lowest if self.sigma_min is None else self.sigma_min
        below = step.sigma < lowest if self.space == Space.LATENT else step.sigma <= lowest
        if below or step.last or not math.isfinite(step.sigma):
            return 0.0
        if len(group) < FEWEST:
            if coefficient and not group.memory.get("warned"):
                group.memory["warned"] = True
                logger.warning(
                    "%s: a group of %d feels no force; it takes %d samples of a prompt", self.name, len(group), FEWEST
                )
            return 0.0
        return float(coefficient * step.sigma**self.power)

    def score(self, x: Tensor, step: Step, group: Group) -> Tensor | None:
        if self.space != Space.LATENT or not (c := self.strength(step, group)):
            return None
        g = c * force(x.flatten(1))
        size = float(g.norm(dim=1).mean()) / math.sqrt(g.shape[1])
        group.log("force", step.index, step.b * size)  # the change of ε, where ε is about 1
        return g.view_as(x).float()

    def clean_sample(self, x0: Tensor, step: Step, group: Group) -> Tensor:
        if self.space != Space.FEATURES or not (c := self.strength(step, group)):
            return x0
        if self.network is None:
            raise ValueError("particle_guidance is not prepared: the feature network is not open")
        pulled: Tensor = self.network.pull_back(x0, force)
        if not bool(pulled.any()):
            return x0
        group.log(
            "force", step.index, c * step.sigma * float(pulled.flatten(1).norm(dim=1).mean() / x0[0].numel() ** 0.5)
        )
        return x0 + c * step.sigma**2 * pulled
