"""MI-DI-TI: PGD whose gradients are gathered (momentum), seen through diverse inputs and smoothed over translations.

g ← mu g + K * ∇ loss(D(x)) / ‖K * ∇‖_1;  x ← clip(x - a sign g), in the ball of largest change eps and in [0, 1].
D: harness/methods/cloaking/diverse_inputs.py. K: a Gaussian window of `kernel` px whose edge lies at 3 sigma, zero
outside of the picture; 1 is none. mu 0, share 0 and kernel 1 are PGD. Sources: MI arXiv 1710.06081, DI 1803.06978,
TI 1904.02884, which smooths by 15 px of 299: 3 of 64 or 5 of 112 are the same share of a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.cloaking.diverse_inputs import DiverseInputs
from harness.methods.cloaking.ensemble import FIRST, WORDS, Cloak, Ensemble, Goal, aim, slope
from harness.methods.cloaking.pgd import REACH, Ball, random_start
from harness.methods.cloaking.photos import LEVELS, Photos, Tools
from harness.methods.method import Source, method
from harness.models.kernels import Border, gaussian, windowed
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

EDGE = 3.0  # sigma at the edge of the window of TI
TINY = 1e-12


def gathered(momentum: Tensor, gradient: Tensor, mu: float) -> Tensor:
    """mu times what was gathered, and the gradient of L1 norm 1 of each photo (n, …); a zero gradient adds nothing."""
    length = gradient.abs().sum(dim=(1, 2, 3), keepdim=True)
    return mu * momentum + gradient / length.clamp_min(TINY)


def translated(gradient: Tensor, size: int) -> Tensor:
    """The gradient's mean over small translations, weighted by a Gaussian window of `size` px."""
    if size == 1:
        return gradient
    return windowed(gradient, gaussian(size, size // 2 / EDGE), Border.ZERO)


@method(
    "mi_di_ti",
    source=Source(
        "Boosting Adversarial Attacks with Momentum; Improving Transferability with Input Diversity; "
        "Evading Defenses by Translation-Invariant Attacks",
        "1710.06081, 1803.06978, 1904.02884",
        licence="none needed",
    ),
    requires="gradients of the surrogates",
)
@dataclass(frozen=True)
class MiDiTi(Cloak):
    """The usual three helps for transfer, each of which can be switched off."""

    surrogates: str = option(FIRST, help=WORDS, source="ours")
    goal: Goal = option(Goal.DODGE, help="away from the photo's own vector, or towards the target's", source="ours")
    eps: float = option(8.0, unit="of 255", at_least=0, at_most=255, help="largest change", source="OPOM's protocol")
    steps: int = option(30, unit="steps", at_least=0, help="gradients a photo and surrogate", source="ours")
    step: float | None = option(None, unit="of 255", above=0, help="of one step; default: 2.5 eps / steps")
    momentum: float = option(1.0, unit="share kept", at_least=0, help="mu", source="arXiv 1710.06081")
    diversity: float = option(
        0.5, unit="probability", at_least=0, at_most=1, help="of a diverse input", source="arXiv 1803.06978"
    )
    least: float = option(
        0.9,
        unit="share of the side",
        above=0,
        at_most=1,
        help="to which a diverse input shrinks",
        source="299 / 330 px",
    )
    kernel: int = option(3, unit="px", at_least=1, help="odd window of TI; 1: none", source="15 of 299 px, of 64 px")
    start: float = option(
        1.0, unit="share of eps", at_least=0, at_most=1, help="width of the random start", source="ours: as pgd"
    )

    def __post_init__(self) -> None:
        gaussian(self.kernel, 1.0)

    @property
    def gradients(self) -> int:
        return self.steps if self.eps else 0

    def cloak(self, photos: Photos, ensemble: Ensemble, tools: Tools, seed: int) -> Tensor:
        if not self.gradients:
            return photos.pixels
        loss, ball = aim(self.goal, ensemble, photos, tools), Ball.around(photos.pixels, self.eps / LEVELS)
        diverse = DiverseInputs(photos, seed, f"{self.name}/inputs", self.steps, self.diversity, self.least)
        step = (REACH * self.eps / self.steps if self.step is None else self.step) / LEVELS
        x = ball.nearest(random_start(photos, seed, self.name, self.start * self.eps / LEVELS))
        g = x.new_zeros(x.shape)
        for t in range(self.steps):
            seen = slope(lambda v, t=t: loss(diverse(v, t)), x)  # type: ignore[misc]
            g = gathered(g, translated(seen, self.kernel), self.momentum)
            x = ball.nearest(x - step * g.sign())
        return x
