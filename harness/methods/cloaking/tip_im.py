"""TIP-IM: towards whichever of several candidates is nearest, and away from oneself.

At every step the candidate t with the largest log(1 + exp(d(x', x) - d(x', t))) is taken, which is the nearest one, and
x' follows the gradient of d(x', t) - d(x', x) + gamma MMD(x', x), d the squared distance of vectors summed over
surrogates, seen through diverse inputs and gathered with momentum. The step is a √D g / ‖g‖ (`l2`: a is its root mean
square) or a sign g, then the ball of largest change eps. Sources: arXiv 2003.06814; ShawnXYang/TIP-IM@5ad8175.

Ours: candidates are people drawn from the pool of decoys by the photo's key, with one photo each. The paper's MMD is
between the photos of a batch, which would tie every photo to its neighbours (rules.md 33); here it is between the 8 x 8
patches of x' and of x, Gaussian kernel of the width that the patches of x have. The code's diversity is a random affine
map; here it is shrinking and shifting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.methods.cloaking.decoys import Pool
from harness.methods.cloaking.diverse_inputs import DiverseInputs
from harness.methods.cloaking.ensemble import FIRST, WORDS, Cloak, Ensemble, slope
from harness.methods.cloaking.mi_di_ti import TINY, gathered
from harness.methods.cloaking.pgd import Ball
from harness.methods.cloaking.photos import LEVELS, Photos, Tools
from harness.methods.method import Source, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

CODE = "TIP-IM@5ad8175"
PATCH = 8


class Norm(StrEnum):
    """How a gradient becomes a step."""

    L2 = "l2"
    SIGN = "sign"


def patches(x: Tensor) -> Tensor:
    """(n, P, 192) the whole 8 x 8 patches of pictures (n, 3, H, W), side by side."""
    from torch.nn import functional

    return functional.unfold(x, PATCH, stride=PATCH).mT


def discrepancy(a: Tensor, b: Tensor) -> Tensor:
    """(n,) squared MMD of the patches of a and of b, all pairs; 0 where they are equal. The width is that of b's."""
    import torch

    x, y = patches(a), patches(b)
    width = torch.cdist(y, y).square().mean(dim=(1, 2), keepdim=True).clamp_min(TINY)

    def kernel(u: Tensor, v: Tensor) -> Tensor:
        squares = (u[:, :, None] - v[:, None]).square().sum(dim=3)
        return torch.exp(-squares / (2.0 * width)).mean(dim=(1, 2))

    return kernel(x, x) + kernel(y, y) - 2.0 * kernel(x, y)


def distances(vectors: list[Tensor], candidates: list[Tensor]) -> Tensor:
    """(n, C) squared distances of vectors (n, D) to candidates (n, C, D), summed over surrogates."""
    import torch

    return torch.stack([(v[:, None] - c).square().sum(dim=2) for v, c in zip(vectors, candidates, strict=True)]).sum(
        dim=0
    )


@method(
    "tip_im",
    source=Source(
        "Towards Face Encryption by Generating Adversarial Identity Masks",
        "2003.06814",
        "github.com/ShawnXYang/TIP-IM@5ad8175",
        "Apache-2.0",
    ),
    requires="gradients of the surrogates; decoys",
)
@dataclass(frozen=True)
class TipIm(Cloak):
    """Targeted at the nearest of its candidates, and dodging."""

    surrogates: str = option(FIRST, help=WORDS, source="ours")
    eps: float = option(12.0, unit="of 255", at_least=0, at_most=255, help="largest change", source=CODE)
    steps: int = option(100, unit="steps", at_least=0, help="gradients a photo and surrogate", source=CODE)
    step: float | None = option(None, unit="of 255", above=0, help="of one step; default: 1.5 eps / steps")
    norm: Norm = option(Norm.L2, help="how a gradient becomes a step", source=CODE)
    momentum: float = option(1.0, unit="share kept", at_least=0, help="of gathered gradients", source=CODE)
    candidates: int = option(10, unit="people", at_least=1, help="drawn for each photo; all where fewer", source=CODE)
    gamma: float = option(0.0, unit="a squared MMD", at_least=0, help="weight of the MMD of patches", source=CODE)
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

    @property
    def gradients(self) -> int:
        return self.steps if self.eps else 0

    def cloak(self, photos: Photos, ensemble: Ensemble, tools: Tools, seed: int) -> Tensor:
        if not self.gradients:
            return photos.pixels
        own, candidates = ensemble.known(photos.pixels), self._candidates(photos, ensemble, tools, seed)
        diverse = DiverseInputs(photos, seed, f"{self.name}/inputs", self.steps, self.diversity, self.least)
        step = (1.5 * self.eps / self.steps if self.step is None else self.step) / LEVELS
        x, ball = photos.pixels, Ball.around(photos.pixels, self.eps / LEVELS)
        g = x.new_zeros(x.shape)

        def loss_at(t: int) -> Callable[[Tensor], Tensor]:
            def loss(v: Tensor) -> Tensor:
                seen = ensemble.vectors(diverse(v, t))
                # log(1 + exp(·)) grows and d(x', x) is the same for all candidates: the largest gain is the nearest
                away = distances(seen, [o[:, None] for o in own])[:, 0]
                total = distances(seen, candidates).min(dim=1).values - away
                return total + self.gamma * discrepancy(v, photos.pixels) if self.gamma else total

            return loss

        for t in range(self.steps):
            g = gathered(g, slope(loss_at(t), x), self.momentum)
            x = ball.nearest(x - step * self._direction(g))
        return x

    def _direction(self, g: Tensor) -> Tensor:
        if self.norm is Norm.SIGN:
            return g.sign()
        length = g.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        return g / length.clamp_min(TINY)

    def _candidates(self, photos: Photos, ensemble: Ensemble, tools: Tools, seed: int) -> list[Tensor]:
        """(n, C, D) of each surrogate: one photo each of the people drawn for a photo."""
        import torch

        pool = Pool.of(ensemble, tools)
        people = sorted(set(pool.person.tolist()))
        first = [pool.person.tolist().index(p) for p in people]
        count = min(self.candidates, len(people))
        drawn = photos.draws(seed, f"{self.name}/people", lambda g: g.permutation(len(people))[:count].tolist())
        rows = torch.tensor([[first[i] for i in order] for order in drawn], device=photos.pixels.device)
        return [v[rows] for v in pool.vectors]
