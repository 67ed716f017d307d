"""What a search may ask, and what it leaves behind.

Offline, one point serves all inputs: an `Oracle` gives the losses of points on the tune items. Online, every input has
a point of its own, its latent: a `LatentOracle` scores proposals of many items at once. Who answers (a metric, a judge,
a game, a person) is the task's business; a search sees numbers, and every number it is given is counted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.models.parameterisations import Parameterisation, Point

Losses = NDArray[np.float64]
Latents = NDArray[np.float32]


class Oracle(ABC):
    """Offline: points in, losses on the tune items out.

    session  the opened model, for parameterisations to read sizes and knobs from
    items    number of tune items that may be used
    """

    session: Any
    items: int

    @abstractmethod
    def evaluate(self, space: Parameterisation, points: Sequence[Point], items: int) -> list[Losses]:
        """Losses in [0, 1], 0 best, of the first `items` tune items: one (items,) array a point, in their order.

        Every point counts as one evaluation, whether or not an earlier run has paid for it. Points may be evaluated at
        the same time; the result does not depend on it.
        """


class LatentOracle(ABC):
    """Online: every item is searched by itself and scored by itself, many at once.

    latents  (n, D) float32, where every item starts: the noise that all methods of a suite share
    keys     (prompt, sample) of each item, for draws of its own
    """

    latents: Latents
    keys: tuple[tuple[int, int], ...]

    @abstractmethod
    def score(self, latents: Latents) -> NDArray[np.float64]:
        """(n,) scores of (n, D) latents, higher is better; each call is one evaluation of every item."""

    @abstractmethod
    def gradient(self, latents: Latents) -> tuple[NDArray[np.float64], Latents]:
        """(n,) scores and (n, D) gradients; counted as one evaluation and one gradient. Raises NotDifferentiable."""

    @abstractmethod
    def features(self, latents: Latents, extractor: str) -> NDArray[np.float32]:
        """(n, d) features of what the latents become; not an evaluation, counted apart."""

    def prior_features(self, latents: Latents, extractor: str) -> NDArray[np.float32]:
        """(m, d) features of m latents that belong to no item. Whichever items are at hand, they are the same."""
        return self.features(latents, extractor)


@dataclass(frozen=True)
class Trace:
    """What an offline search did.

    points  (E, d) settled points in the order of their evaluation; the first is the identity
    losses  (E, n) what was told of each
    chosen  index of the returned point
    nats    what its decisions could have learnt of the tune items (harness/stats/overfitting.py); None: anything
    """

    points: NDArray[np.float64]
    losses: Losses
    chosen: int
    nats: float | None

    def __post_init__(self) -> None:
        if len(self.points) != len(self.losses) or not 0 <= self.chosen < len(self.points):
            raise ValueError(f"trace of {len(self.points)} points and {len(self.losses)} losses, chosen {self.chosen}")

    @property
    def point(self) -> Point:
        """The returned point."""
        found: Point = self.points[self.chosen]
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As stored, and as metrics read it (`Evidence.search`)."""
        return {
            "points": self.points,
            "losses": self.losses,
            "chosen": np.array(self.chosen, dtype=np.int64),
            "nats": np.array(np.nan if self.nats is None else self.nats, dtype=np.float64),
        }


@dataclass(frozen=True)
class Refined:
    """What an online search did.

    latents  (n, D) float32 returned
    best     (n, E) float64, the best score of each item after 1 … E evaluations; the first is the untouched one's
    """

    latents: Latents
    best: NDArray[np.float64]


def first_best(losses: Losses) -> int:
    """Index of the lowest mean loss (E, n); of several the first, so that the identity wins ties."""
    return int(np.argmin(losses.mean(axis=1)))


Answers = Mapping[str, NDArray[Any]]
