"""Fawkes: a photo moved in feature space under a bound on the change of its structure.

v1 (the released code, untargeted): minimise kappa max(DSSIM(x', x) - bound, 0)² - weight Σ_m ‖phi_m(x') - phi_m(x)‖² /
‖phi_m(x)‖. paper (targeted): + weight Σ_m ‖phi_m(x') - phi_m(c)‖² / ‖phi_m(x)‖ instead, c the centroid of the most
dissimilar person of the decoys. x' = (tanh(u) + 1) / 2, clipped to ±`clip` of the photo; u by Adadelta
(harness/methods/cloaking/steppers.py).

Ours, where neither code nor paper decides: what is returned has the best feature term among the iterates whose DSSIM is
within the bound, and the last one brought back on the straight line to the photo until it is, so that the bound holds
and not only its penalty (steps of this rate jump over the narrow valley); v1 starts at draws of ±1e-4 in u, because its
gradient at the photo is 0; the weight of the feature term; vectors have unit length. The photo is the aligned picture
itself, not a crop that is pasted back. Without steps or with bound 0 it is returned as it is.
Sources: arXiv 2002.08327; Shawn-Shan/fawkes@aedaa82.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.methods.cloaking.decoys import Pool
from harness.methods.cloaking.ensemble import FIRST, WORDS, Cloak, Ensemble
from harness.methods.cloaking.matching import matched
from harness.methods.cloaking.pgd import Ball
from harness.methods.cloaking.photos import LEVELS, Photos, Tools
from harness.methods.cloaking.steppers import Adadelta
from harness.methods.method import Source, method
from harness.models.structural import dssim
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

CODE = "fawkes@aedaa82, mode mid"
START = 1e-4  # half-width of the draws that v1 starts at, in u
INSIDE = 0.999999  # of ±1, so that u is finite


class Variant(StrEnum):
    """Which Fawkes."""

    V1 = "v1"  # untargeted, the released code
    PAPER = "paper"  # towards a dissimilar person


@method(
    "fawkes",
    source=Source(
        "Fawkes: Protecting Privacy against Unauthorized Deep Learning Models",
        "2002.08327",
        "github.com/Shawn-Shan/fawkes@aedaa82",
        "BSD-3 style; its README: personal privacy or academic use only",
    ),
    requires="gradients of the surrogates; decoys for the variant of the paper",
)
@dataclass(frozen=True)
class Fawkes(Cloak):
    """Both variants; the modes low, mid and high of the code are baselines."""

    surrogates: str = option(FIRST, help=WORDS, source="ours")
    variant: Variant = option(Variant.V1, help="untargeted code, or targeted paper", source="the code that is in use")
    bound: float = option(0.012, unit="DSSIM", at_least=0, at_most=1, help="largest change of structure", source=CODE)
    steps: int = option(75, unit="steps", at_least=0, help="of Adadelta", source=CODE)
    rate: float = option(20.0, unit="a step", above=0, help="learning rate of Adadelta", source=CODE)
    kappa: float = option(
        1e7, unit="a squared DSSIM", at_least=0, help="weight of what is above the bound", source=CODE
    )
    weight: float = option(1.0, unit="a squared distance", at_least=0, help="of the feature term", source="ours")
    clip: float | None = option(15.0, unit="of 255", above=0, at_most=255, help="largest change; none", source=CODE)
    candidates: int | None = option(
        None, unit="people", at_least=1, help="paper: draw so many decoys, then take the least similar; default: all"
    )

    @property
    def gradients(self) -> int:
        return self.steps + 1 if self.steps and self.bound else 0

    def cloak(self, photos: Photos, ensemble: Ensemble, tools: Tools, seed: int) -> Tensor:
        import torch

        if not self.gradients:
            return photos.pixels
        x, own = photos.pixels, ensemble.known(photos.pixels)
        wanted = own if self.variant is Variant.V1 else self._centroids(photos, own, ensemble, tools, seed)
        ball = Ball.around(x, (LEVELS if self.clip is None else self.clip) / LEVELS)
        u = torch.atanh((2.0 * x - 1.0) * INSIDE)
        if self.variant is Variant.V1:
            u = u + START * photos.field(seed, self.name, lambda g, shape: g.uniform(-1.0, 1.0, shape))
        adadelta = Adadelta(self.rate)
        kept, best = x.clone(), torch.full((len(x),), -torch.inf, device=x.device)
        for t in range(self.steps + 1):
            u = u.detach().requires_grad_(True)
            made = ball.nearest((torch.tanh(u) + 1.0) / 2.0)
            gained, changed = self._gain(ensemble.vectors(made), wanted, own), dssim(made, x)
            better = (changed <= self.bound) & (gained > best)
            kept = made.detach().where(better[:, None, None, None], kept)
            best = gained.detach().where(better, best)
            if t < self.steps:
                above = self.kappa * (changed - self.bound).clamp_min(0.0).square()
                (gradient,) = torch.autograd.grad((above - self.weight * gained).sum(), u)
                u = adadelta.stepped(u.detach(), gradient)
        last = made.detach()
        back = matched(lambda s: x + s * (last - x), lambda v: dssim(v, x), self.bound, 1.0, x)
        better = self._gain(ensemble.known(back), wanted, own) > best
        return back.where(better[:, None, None, None], kept)

    def _gain(self, vectors: list[Tensor], wanted: list[Tensor], own: list[Tensor]) -> Tensor:
        """(n,) how far from the photo's own vectors, or how near to the decoy's."""
        import torch

        off = [(v - w).square().sum(dim=1) / o.norm(dim=1) for v, w, o in zip(vectors, wanted, own, strict=True)]
        return torch.stack(off).sum(dim=0) * (1.0 if self.variant is Variant.V1 else -1.0)

    def _centroids(
        self, photos: Photos, own: list[Tensor], ensemble: Ensemble, tools: Tools, seed: int
    ) -> list[Tensor]:
        """(n, D) of each surrogate: the centroid of the least similar person, of those drawn for the photo."""
        import torch

        people, centroids = Pool.of(ensemble, tools).centroids()
        far = torch.stack([torch.cdist(o, c) for o, c in zip(own, centroids, strict=True)]).sum(dim=0)
        if self.candidates is not None and self.candidates < len(people):
            orders = photos.draws(seed, f"{self.name}/people", lambda g: g.permutation(len(people))[: self.candidates])
            for row, order in enumerate(orders):
                out = [i for i in range(len(people)) if i not in set(order.tolist())]
                far[row, out] = -1.0
        rows = far.argmax(dim=1)
        return [c[rows] for c in centroids]
