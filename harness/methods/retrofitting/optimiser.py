"""Black-box optimisers by their nevergrad name, on standardised coordinates, independent of clock and cores.

Every coordinate starts at 0 with deviation 1, so that discrete mutations re-draw from N(0, 1) (with another deviation
they would re-draw from something that is not the prior: generation.md section 2). The point 0 is always asked first. An
optimiser is told its `horizon`, the budget it plans for, which is not where it is stopped: a run stopped at 50 is the
beginning of one stopped at 300.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from harness.keys import generator
from harness.methods.oracle import Losses
from harness.models.parameterisations import Point
from harness.stats.overfitting import Learns

FIXED = ("RandomSearch", "Hammersley", "LHS", "Halton", "MetaRecentering", "QuasiRandom", "MetaTuneRecentering")
RANKED = ("CMA", "DE", "PSO", "TBPSA", "ES", "DiagonalCMA", "LhsDE", "TwoPointsDE", "NaiveTBPSA")


def known() -> tuple[str, ...]:
    """All names, sorted."""
    return tuple(sorted(_library().optimizers.registry))


def learns(name: str) -> Learns:
    """What the optimiser takes from answers, by its published rule; VALUES where nothing is known of it.

    (1+1) searches compare each answer with the best so far; those that re-evaluate under noise rank what they hold.
    """
    if any(word in name for word in FIXED) and not name.startswith(("Meta", "Recentering")):
        return Learns.NOTHING
    if name.endswith("OnePlusOne") and not name.startswith(("Optimistic", "Noisy", "Meta", "Chain")):
        return Learns.COMPARISONS
    if name in RANKED or (name.endswith("OnePlusOne") and name.startswith("Optimistic")):
        return Learns.RANKS
    return Learns.VALUES


def _library() -> Any:
    """nevergrad, mended: its meta-model calls float() on one-element arrays, which numpy 2.4 refuses (NGOpt dies)."""
    import nevergrad
    from nevergrad.optimization import metamodel

    metamodel.float = lambda value: np.asarray(value).item()
    return nevergrad


class Optimiser:
    """One run: ask for points in generations, tell their losses in the order of the asks."""

    def __init__(self, name: str, dimension: int, horizon: int, parallel: int, key: tuple[int, int | str]) -> None:
        """key: (seed, what the draws are for). Raises ValueError for an unknown name."""
        nevergrad = _library()
        if name not in nevergrad.optimizers.registry:
            from harness.options import nearest

            hint = " or ".join(repr(n) for n in nearest(name, known(), 3))
            raise ValueError(f"nevergrad has no optimiser {name!r}" + (f"; did you mean {hint}?" if hint else ""))
        self._dimension, searched = dimension, max(2, dimension)  # nevergrad's CMA of one number spoils all later ones
        space = nevergrad.p.Array(shape=(searched,)).set_mutation(sigma=1.0)
        seed, *rest = key
        space.random_state = np.random.RandomState(generator(seed, "search", name, *rest).integers(2**32, dtype="u8"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice of its parts about budgets that it was given here
            self._inner: Any = nevergrad.optimizers.registry[name](space, budget=horizon, num_workers=parallel)
        self._inner.suggest(np.zeros(searched))
        self._asked: list[Any] = []

    def ask(self, count: int) -> list[Point]:
        """The next `count` points; the first of a run is 0."""
        self._asked = [self._inner.ask() for _ in range(count)]
        return [np.asarray(c.value, dtype=np.float64)[: self._dimension] for c in self._asked]

    def tell(self, losses: list[Losses]) -> None:
        """The answers to the points asked last, one array an answer; their means are what is told."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for candidate, loss in zip(self._asked, losses, strict=True):
                self._inner.tell(candidate, float(loss.mean()))
        self._asked = []
