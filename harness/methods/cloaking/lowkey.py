"""LowKey: sign steps that drive the vectors of a photo and of its blur away, and pay for what is seen.

maximise Σ_m [‖phi(x') - phi(x)‖ + ‖phi(G x') - phi(x)‖] / ‖phi(x)‖ - weight · distance(x', x)
G: Gaussian window 7 x 7, sigma 3, mirrored borders (ours). The distance is that of the tools: LPIPS alex in the paper.
At the photo itself the first norm has no gradient, the second has one: no random start. Source: arXiv 2101.07922, read
from the copy in ftramer/FaceCure@35cef51 (MIT); its own code is a supplement of OpenReview.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.cloaking.ensemble import FIRST, WORDS, Cloak, Ensemble, slope
from harness.methods.cloaking.pgd import Ball
from harness.methods.cloaking.photos import LEVELS, Photos, Tools
from harness.methods.method import Source, method
from harness.models.kernels import Border, gaussian, windowed
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

FACECURE = "FaceCure@35cef51"


@method(
    "lowkey",
    source=Source(
        "LowKey: Leveraging Adversarial Attacks to Protect Social Media Users from Facial Recognition",
        "2101.07922",
        "OpenReview supplement; attack copied in ftramer/FaceCure@35cef51",
        "none found; the copy is MIT",
    ),
    requires="gradients of the surrogates and of the perceptual distance",
)
@dataclass(frozen=True)
class LowKey(Cloak):
    """Untargeted; two gradients a step and surrogate, of the picture and of its blur."""

    surrogates: str = option(FIRST, help=WORDS, source="ours; the paper: four of two training losses")
    eps: float = option(12.75, unit="of 255", at_least=0, at_most=255, help="largest change", source=FACECURE)
    steps: int = option(50, unit="steps", at_least=0, help="sign steps", source=FACECURE)
    step: float = option(0.6375, unit="of 255", above=0, help="of one step", source=FACECURE)
    weight: float = option(0.05, unit="a distance", at_least=0, help="of the perceptual distance", source=FACECURE)
    window: int = option(7, unit="px", at_least=1, help="odd window of the blur", source=FACECURE)
    sigma: float = option(3.0, unit="px", above=0, help="of the blur", source=FACECURE)

    def __post_init__(self) -> None:
        gaussian(self.window, self.sigma)

    @property
    def gradients(self) -> int:
        return 2 * self.steps if self.eps else 0

    def cloak(self, photos: Photos, ensemble: Ensemble, tools: Tools, seed: int) -> Tensor:
        import torch

        if not self.gradients:
            return photos.pixels
        own, ball = ensemble.known(photos.pixels), Ball.around(photos.pixels, self.eps / LEVELS)
        weights = gaussian(self.window, self.sigma)

        def loss(x: Tensor) -> Tensor:
            blurred = windowed(x, weights, Border.MIRROR)
            away = [
                ((v - o).norm(dim=1) + (b - o).norm(dim=1)) / o.norm(dim=1)
                for v, b, o in zip(ensemble.vectors(x), ensemble.vectors(blurred), own, strict=True)
            ]
            return self.weight * tools.distance(x, photos.pixels) - torch.stack(away).sum(dim=0)

        x = photos.pixels
        for _ in range(self.steps):
            x = ball.nearest(x - self.step / LEVELS * slope(loss, x).sign())
        return x
