"""AfterLearnER: a few numbers of a trained model, moved by a black-box optimiser on a score of the tune items.

arXiv 2410.11330, "Evolutionary Retrofitting". Which numbers, which optimiser and which budget its experiments used is
not recovered (generation.md section 1); the parameterisations and defaults here are our definition. Fixed by us: the
identity is always the first point asked and wins ties, and the point with the lowest mean loss is returned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.methods.method import Search, Source, method
from harness.methods.oracle import LatentOracle, Losses, Oracle, Refined, Trace, first_best
from harness.methods.retrofitting.optimiser import Optimiser, learns
from harness.models.parameterisations import (
    PARAMETERISATIONS,
    BlockGains,
    ChannelGains,
    Decoding,
    LogitBias,
    Parameterisation,
    Point,
    RankOne,
)
from harness.options import option
from harness.stats.overfitting import nats

Name = Literal["block_gains", "channel_gains", "rank_one", "decoding", "logit_bias", "latent"]
TAKES: dict[str, tuple[str, ...]] = {
    "block_gains": ("scale",),
    "channel_gains": ("scale", "layer", "biases", "groups"),
    "rank_one": ("scale", "layer"),
    "decoding": ("knobs",),
    "logit_bias": ("scale", "tokens"),
    "latent": ("scale",),
}
LATENT_SCALE = 0.3  # of a latent's own deviation, for one unit


@method(
    "afterlearner",
    source=Source("Evolutionary Retrofitting", "2410.11330", "none for the whole paper; nevergrad is MIT", "none"),
    requires="a score of the tune items; memory for one copy of what is moved",
)
@dataclass(frozen=True)
class AfterLearner(Search):
    """Offline for parameters of the model, online (per input) for `latent`."""

    libraries = ("nevergrad",)

    parameterisation: Name = option(help="what is moved", source="our definition")
    optimiser: str = option("NGOpt", help="nevergrad's name", source="abstract of arXiv 2410.11330 names NGOpt")
    budget: int = option(
        100, unit="evaluations", at_least=1, help="of all restarts together, the identity too", source="ours"
    )
    horizon: int | None = option(
        None, unit="evaluations", at_least=1, help="budget the optimiser plans for; default: budget / restarts"
    )
    restarts: int = option(
        1, unit="runs", at_least=1, help="independent runs; the best of all is returned", source="ours"
    )
    parallel: int = option(
        1, unit="asks", at_least=1, help="points asked before any of them is answered", source="ours"
    )
    tune_items: int | None = option(None, unit="items", at_least=1, help="only the first so many tune items")
    scale: float | None = option(None, unit="step", above=0, help="of one unit; default: the parameterisation's")
    layer: str | None = option(None, help="channel_gains, rank_one: name of the layer; default: the last")
    biases: bool | None = option(None, help="channel_gains: move biases too; default: no")
    groups: int | None = option(
        None, unit="groups", at_least=1, help="channel_gains: neighbouring channels share so many gains"
    )
    knobs: tuple[str, ...] | None = option(None, help="decoding: which; default: all of the model")
    tokens: tuple[int, ...] | None = option(None, unit="indices", help="logit_bias: vocabulary indices; default: all")

    def __post_init__(self) -> None:
        if self.budget % self.restarts:
            raise ValueError(f"restarts {self.restarts} do not divide the budget of {self.budget}")
        for name in ("scale", "layer", "biases", "groups", "knobs", "tokens"):
            if getattr(self, name) is not None and name not in TAKES[self.parameterisation]:
                raise ValueError(f"{self.parameterisation} takes no {name!r}")
        if self.online and (self.tune_items is not None or self.restarts > 1):
            raise ValueError("latent is searched for every input by itself: it takes no tune_items and no restarts")

    @property
    def online(self) -> bool:
        return self.parameterisation == "latent"

    @property
    def evaluations(self) -> int:
        return self.budget

    def space(self) -> Parameterisation:
        if self.online:
            return super().space()
        given = {k: v for k in TAKES[self.parameterisation] if (v := getattr(self, k)) is not None}
        made: dict[str, type[BlockGains | ChannelGains | RankOne | Decoding | LogitBias]] = PARAMETERISATIONS  # type: ignore[assignment]
        return made[self.parameterisation](**given)

    # --- offline ------------------------------------------------------------------------------------------------------

    def search(self, oracle: Oracle, seed: int) -> Trace:
        space, each = self.space(), self.budget // self.restarts
        size, items = space.size(oracle.session), min(self.tune_items or oracle.items, oracle.items)
        points: list[Point] = []
        losses: list[Losses] = []
        for restart in range(self.restarts):
            optimiser = Optimiser(self.optimiser, size, self.horizon or each, self.parallel, (seed, restart))
            for count in generations(each, self.parallel):
                asked = [space.settled(oracle.session, p) for p in optimiser.ask(count)]
                told = oracle.evaluate(space, asked, items)
                optimiser.tell(told)
                points += asked
                losses += told
        stacked = np.array(losses)
        return Trace(np.array(points), stacked, first_best(stacked), nats(learns(self.optimiser), each, self.restarts))

    # --- online -------------------------------------------------------------------------------------------------------

    def refine(self, oracle: LatentOracle, seed: int) -> Refined:
        """One optimiser an item. Proposals z0 + s x are brought to the norm of z0; x = 0 is z0 itself."""
        start = oracle.latents.astype(np.float64)
        scale, size = self.scale or LATENT_SCALE, start.shape[1]
        optimisers = [
            Optimiser(self.optimiser, size, self.horizon or self.budget, 1, (seed, f"{p}/{s}")) for p, s in oracle.keys
        ]
        kept, best = oracle.latents.copy(), np.full((len(start), self.budget), -np.inf)
        for t in range(self.budget):
            proposals = np.stack([_moved(z, scale * o.ask(1)[0]) for z, o in zip(start, optimisers, strict=True)])
            scores = oracle.score(proposals)
            for optimiser, score in zip(optimisers, scores, strict=True):
                optimiser.tell([np.array([-score])])
            better = scores > best[:, t - 1] if t else np.ones(len(start), dtype=bool)
            kept[better] = proposals[better]
            best[:, t] = np.where(better, scores, best[:, t - 1])
        return Refined(kept, best)


def generations(budget: int, parallel: int) -> Iterator[int]:
    """Numbers of points asked together, adding up to the budget: the identity alone, then `parallel` at a time."""
    yield 1
    for start in range(1, budget, parallel):
        yield min(parallel, budget - start)


def _moved(start: Point, step: Point) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """start + step at the norm of start; start itself where the step is 0."""
    if not step.any():
        return start.astype(np.float32)
    moved = start + step
    return (moved * (np.linalg.norm(start) / np.linalg.norm(moved))).astype(np.float32)
