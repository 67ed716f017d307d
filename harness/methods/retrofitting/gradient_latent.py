"""Gradient latent search: every item's latent climbs the gradient of a differentiable score. The ceiling of a search.

z ← z + step of ∇ score(G(z)) - penalty, then the prior's projection:
    sphere  z is brought to ‖z‖ = √d after every step
    soft    score - ½ rho (‖z‖ - √(d-1))²
    chi     score - rho (½‖z‖² - (d-1) ln‖z‖), ReNO's: least at ‖z‖ = √(d-1)
    none    score alone
rule `sgd` is eta · gradient, with Nesterov momentum where asked; `adam` is Adam(.9, .999). The gradient of an item is
clipped to norm `clip` after the penalty. Items that do not step (gradient or eta 0) stay where they are bit for bit.
The best iterate by score (by score minus penalty under `soft` and `chi`) is returned, of several the first.

Budget: a step is one forward and one backward, charged as 3 forward-equivalents; scoring the last iterate is 1. So
`steps` compare with 3 · steps + 1 evaluations of a black-box search: 33 steps with 100.
Sources: generation.md section 6.11 (ours, the PPGN family). ReNO, arXiv 2406.04312: its initial-noise part, which is
all of it. DNO, arXiv 2405.18881: the first of its 51 noise tensors, without the covariance regulariser (its gamma is 0
by default). Trap: the returned iterate is chosen by the score that is climbed: report others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from harness.methods.method import Search, Source, method
from harness.methods.oracle import LatentOracle, Refined
from harness.options import option

FORWARDS = 3  # forward-equivalents of a step: the backward pass counts twice
DECAYS, TINY = (0.9, 0.999), 1e-8  # of Adam, its paper's

Floats = NDArray[np.float64]


class Prior(StrEnum):
    """What keeps z near the draws that the generator knows."""

    SPHERE = "sphere"
    SOFT = "soft"
    CHI = "chi"
    NONE = "none"


class Rule(StrEnum):
    """How a gradient becomes a step."""

    SGD = "sgd"
    ADAM = "adam"


def penalty(prior: Prior, rho: float, z: Floats) -> tuple[Floats, Floats]:
    """(n,) what is taken from the score of z (n, d), and its gradient (n, d)."""
    d, norm = z.shape[1], np.linalg.norm(z, axis=1, keepdims=True)
    if prior is Prior.SOFT:
        off = norm - math.sqrt(d - 1)
        return (0.5 * rho * off**2)[:, 0], rho * off * z / norm
    if prior is Prior.CHI:
        return (rho * (0.5 * norm**2 - (d - 1) * np.log(norm)))[:, 0], rho * (z - (d - 1) * z / norm**2)
    return np.zeros(len(z)), np.zeros_like(z)


def clipped(gradient: Floats, most: float | None) -> Floats:
    """Rows (n, d) of norm `most` at most."""
    if most is None:
        return gradient
    norm = np.linalg.norm(gradient, axis=1, keepdims=True)
    return np.asarray(gradient * np.minimum(1.0, most / np.maximum(norm, TINY)))


class Stepper:
    """Gradients (n, d) into steps upwards, with one memory an item."""

    def __init__(self, rule: Rule, eta: float, momentum: float) -> None:
        self._rule, self._eta, self._momentum = rule, eta, momentum
        self._first: Floats | float = 0.0
        self._second: Floats | float = 0.0
        self._count = 0

    def step(self, gradient: Floats) -> Floats:
        self._count += 1
        if self._rule is Rule.SGD:
            self._first = self._momentum * self._first + gradient
            return np.asarray(self._eta * (gradient + self._momentum * self._first))
        a, b = DECAYS
        self._first = a * self._first + (1 - a) * gradient
        self._second = b * self._second + (1 - b) * gradient**2
        unbiased = self._first / (1 - a**self._count), self._second / (1 - b**self._count)
        moved = self._eta * unbiased[0] / (np.sqrt(unbiased[1]) + TINY)
        return np.asarray(moved)


@method(
    "gradient_latent",
    source=Source("Gradient latent search (ours); ReNO", "2406.04312", "none: written from the formulas", "unchecked"),
    requires="a differentiable score and a differentiable generator",
)
@dataclass(frozen=True)
class GradientLatent(Search):
    """Gradient ascent of every item's latent on a differentiable score."""

    steps: int = option(33, unit="gradient steps", at_least=0, help="each costs 3 evaluations", source="ours: of 100")
    eta: float = option(1.0, unit="step size", at_least=0, help="0 is the untouched model", source="ours")
    prior: Prior = option(Prior.SPHERE, help="what keeps the latent likely", source="ours")
    rho: float = option(0.01, unit="weight", at_least=0, help="soft, chi: weight of the penalty", source="ReNO's code")
    rule: Rule = option(Rule.SGD, help="how a gradient becomes a step", source="ours")
    momentum: float = option(0.0, unit="share", at_least=0, below=1, help="sgd: Nesterov momentum", source="ours")
    clip: float | None = option(None, unit="norm", above=0, help="of an item's gradient at most; default: none")

    @property
    def online(self) -> bool:
        return True

    @property
    def evaluations(self) -> int:
        return FORWARDS * self.steps + 1

    def refine(self, oracle: LatentOracle, seed: int) -> Refined:
        z, stepper = oracle.latents.copy(), Stepper(self.rule, self.eta, self.momentum)
        kept, reached = z.copy(), np.full(len(z), -np.inf)
        score_of_kept, curve = np.empty(len(z)), np.empty((len(z), self.steps + 1))
        for t in range(self.steps + 1):
            scores, gradient = (oracle.score(z), None) if t == self.steps else oracle.gradient(z)
            taken, slope = penalty(self.prior, self.rho, z.astype(np.float64))
            better = scores - taken > reached
            reached[better], kept[better], score_of_kept[better] = (scores - taken)[better], z[better], scores[better]
            curve[:, t] = score_of_kept
            if gradient is not None:
                z = self._moved(z, stepper.step(clipped(gradient.astype(np.float64) - slope, self.clip)))
        return Refined(kept, np.repeat(curve, FORWARDS, axis=1)[:, : self.evaluations])

    def _moved(self, z: NDArray[np.float32], step: Floats) -> NDArray[np.float32]:
        moved = z + step
        if self.prior is Prior.SPHERE:
            moved *= math.sqrt(z.shape[1]) / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), TINY)
        steps = step.any(axis=1, keepdims=True)
        return np.where(steps, moved, z).astype(np.float32)
