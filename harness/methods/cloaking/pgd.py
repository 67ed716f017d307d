"""PGD: steps along the sign of the gradient of the surrogates, inside a ball of largest change eps around the photo.

x ← clip(x - a sign ∇ loss), clipped to [x0 - eps, x0 + eps] and to [0, 1]; loss: harness/methods/cloaking/ensemble.py.
The start is uniform in `start` times the ball: at the photo itself the gradient of dodging is exactly 0. Without steps
or with eps 0 the photo is returned as it is. Source: arXiv 1706.06083; as a cloak: face_privacy.md section 11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.cloaking.ensemble import FIRST, WORDS, Cloak, Ensemble, Goal, aim, slope
from harness.methods.cloaking.photos import LEVELS, Photos, Tools
from harness.methods.method import Source, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

REACH = 2.5  # steps together are so many times eps, where no step is given


@dataclass(frozen=True)
class Ball:
    """Pictures within eps of the photo, and pictures at all."""

    low: Tensor
    high: Tensor

    @classmethod
    def around(cls, pixels: Tensor, eps: float) -> Ball:
        return cls((pixels - eps).clamp(0.0, 1.0), (pixels + eps).clamp(0.0, 1.0))

    def nearest(self, pixels: Tensor) -> Tensor:
        return pixels.maximum(self.low).minimum(self.high)


def random_start(photos: Photos, seed: int, name: str, width: float) -> Tensor:
    """Photos moved by uniform draws in ±width."""
    if not width:
        return photos.pixels
    return photos.pixels + width * photos.field(seed, name, lambda g, shape: g.uniform(-1.0, 1.0, shape))


@method(
    "pgd",
    source=Source("Towards Deep Learning Models Resistant to Adversarial Attacks", "1706.06083", licence="none needed"),
    requires="gradients of the surrogates",
)
@dataclass(frozen=True)
class Pgd(Cloak):
    """Projected gradient, by sign, on one recogniser or on the sum of several."""

    surrogates: str = option(FIRST, help=WORDS, source="ours")
    goal: Goal = option(Goal.DODGE, help="away from the photo's own vector, or towards the target's", source="ours")
    eps: float = option(8.0, unit="of 255", at_least=0, at_most=255, help="largest change", source="OPOM's protocol")
    steps: int = option(30, unit="steps", at_least=0, help="gradients a photo and surrogate", source="ours")
    step: float | None = option(None, unit="of 255", above=0, help="of one step; default: 2.5 eps / steps")
    start: float = option(
        1.0, unit="share of eps", at_least=0, at_most=1, help="width of the random start", source="arXiv 1706.06083"
    )

    @property
    def gradients(self) -> int:
        return self.steps if self.eps else 0

    def cloak(self, photos: Photos, ensemble: Ensemble, tools: Tools, seed: int) -> Tensor:
        if not self.gradients:
            return photos.pixels
        loss, ball = aim(self.goal, ensemble, photos, tools), Ball.around(photos.pixels, self.eps / LEVELS)
        step = (REACH * self.eps / self.steps if self.step is None else self.step) / LEVELS
        x = ball.nearest(random_start(photos, seed, self.name, self.start * self.eps / LEVELS))
        for _ in range(self.steps):
            x = ball.nearest(x - step * slope(loss, x).sign())
        return x
