"""Unsupervised fairness: samples are kept so that cells of a deep-feature space get the masses they are meant to have.

Features f of a pool of base samples (or of a reference image set) fall into k cells by k-means; p_c is a cell's mass
among base samples, q_c the wanted one (uniform, or the reference set's). A group of B items draws floor(B · factor)
samples of the untouched model and keeps B. rejection: in order, a sample of cell c with probability q_c/(M p_c), M =
max q/p; when the candidates run out, those turned down come back in order (capped tries, logged as `filled`).
resampling: without replacement, with weights q_c/p_c. No label of any kind is read: not by the cells, not by the
masses, not by the choice. q = p, one cell, and factor 1 keep the base samples bit for bit.
Source: arXiv 2210.03517 (*Fairness in generative modeling: do it unsupervised!*), whose algorithms are not recovered:
everything here is ours after generation.md section 4 A. Traps: the features that balance may not be those that score
(a warning of the run says where they are); k chosen on the reported attribute is leakage; a mass below `floor` counts
as `floor`, which bounds M and leaves rarer cells short of their target.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Self

import numpy as np

from harness import keys
from harness.methods.diversity.cells import (
    Floats,
    acceptance,
    bound,
    cell_of,
    effective_share,
    kmeans,
    masses,
    rejected,
    resampled,
)
from harness.methods.diversity.subsets import seated
from harness.methods.method import Couples, Group, Sampling, Source, Stage, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

LATENT = "latent"  # the space that needs no network
FIT = 0  # seed of the k-means starts: one partition for all seeds of a suite


class How(StrEnum):
    REJECTION = "rejection"
    RESAMPLING = "resampling"


class Target(StrEnum):
    """Masses that the cells should have."""

    UNIFORM = "uniform"
    REFERENCE = "reference"


class Scope(StrEnum):
    """Whose base samples make the pool: each prompt's own, or those of all prompts of the suite."""

    PROMPT = "prompt"
    SUITE = "suite"


@dataclass(frozen=True)
class Balance:
    """What was learnt from a pool: centres (k, D) float64, masses p of the pool and q wanted, both (k,)."""

    centres: Tensor
    p: Floats
    q: Floats


@method(
    "cluster_balance",
    couples=Couples.GROUP,
    source=Source(
        "Fairness in generative modeling: do it unsupervised! (ours after it)",
        "arXiv 2210.03517",
        licence="no authors' code",
    ),
    requires="a pool of base samples, or a reference set",
)
@dataclass(frozen=True)
class ClusterBalance(Sampling):
    """Rejection or resampling of samples by cells of a feature space, without labels."""

    reads = ("reference",)

    how: How = option(How.REJECTION, help="how samples are kept", source="ours: both of generation.md 4 A")
    factor: float = option(
        4.0, unit="draws an item", at_least=1.0, help="samples drawn for each one kept; 1 is i.i.d.", source="ours"
    )
    cells: int = option(4, unit="cells", at_least=1, help="k of k-means; 1 is i.i.d.", source="ours")
    space: str = option(
        LATENT, help="where cells lie: latent, or a feature network by name", source="ours; the paper: deep features"
    )
    target: Target = option(Target.UNIFORM, help="wanted masses", source="ours")
    reference: str | None = option(None, help="image set of the suite's data section that the cells are fitted to")
    scope: Scope = option(Scope.PROMPT, help="pool: base samples of each prompt, or of all prompts", source="ours")
    pilot: int = option(32, unit="samples a prompt", at_least=2, help="base samples of the pool", source="ours")
    floor: float = option(
        0.05, unit="share", above=0.0, below=1.0, help="least mass that a cell counts with", source="ours: M ≤ 20 max q"
    )
    features: Callable[[Tensor], Tensor] | None = field(default=None, repr=False, compare=False)  # set by prepare
    balances: tuple[Balance, ...] | None = field(default=None, repr=False, compare=False)  # by prompt, or one for all

    def __post_init__(self) -> None:
        if self.target == Target.REFERENCE and self.reference is None:
            raise ValueError("target: reference needs `reference`, an image set of the suite's data section")

    def oversample(self) -> float:
        return self.factor if self.cells > 1 else 1.0

    def prepare(self, stage: Stage) -> Self:
        if self.oversample() == 1.0:
            return self
        features = None if self.space == LATENT else stage.features(self.space)
        base = stage.base_latents(self.pilot)
        pool = seen(base.reshape(-1, *stage.latent_shape), features)
        if self.reference is None:
            known = None
        elif features is None:
            known = stage.encode(self.reference).double().cpu()
        else:
            known = stage.image_features(self.space, self.reference).double().cpu()
        pools = [pool] if self.scope == Scope.SUITE else list(pool.reshape(-1, self.pilot, pool.shape[1]))
        return replace(self, features=features, balances=tuple(self._balance(part, known) for part in pools))

    def _balance(self, pool: Tensor, known: Tensor | None) -> Balance:
        """pool (N, D) base samples; known (K, D) the reference set, or None."""
        centres = kmeans(pool if known is None else known, self.cells, keys.generator(FIT, "calibration", "cells"))
        p = masses(cell_of(pool, centres), self.cells, self.floor)
        if self.target == Target.REFERENCE and known is not None:
            return Balance(centres, p, masses(cell_of(known, centres), self.cells, self.floor))
        return Balance(centres, p, np.full(self.cells, 1.0 / self.cells))

    def select(self, x0: Tensor, group: Group) -> Sequence[int]:
        if self.balances is None:
            raise ValueError(f"{self.name} is not prepared: its cells are made from base samples")
        at = self.balances[0 if self.scope == Scope.SUITE else group.prompt_index]
        count, samples = len(set(group.samples)), group.samples
        order = sorted(range(len(x0)), key=lambda i: (i // count, samples[i]))  # a permuted group keeps the same ones
        cell = cell_of(seen(x0, self.features), at.centres)[order].tolist()
        if self.how == How.REJECTION:
            uniform = [self._random(group, i, count).random() for i in order]
            kept, filled = rejected(cell, acceptance(at.p, at.q), uniform, count)
            group.log("filled", 0, filled / count)
        else:
            races = [self._random(group, i, count).standard_exponential() for i in order]
            kept = resampled(cell, at.q / at.p, races, count)
        chosen = [order[i] for i in kept]
        group.log("replaced", 0, sum(i >= count for i in chosen) / count)
        group.log("bound", 0, bound(at.p, at.q))
        group.log("effective", 0, effective_share(at.p, at.q))
        return seated(chosen, samples[:count])

    def _random(self, group: Group, candidate: int, count: int) -> np.random.Generator:
        """The generator of one candidate."""
        sample = group.samples[candidate]
        return keys.generator(group.seed, group.purpose, group.prompt_index, sample, "balance", candidate // count)


def seen(x0: Tensor, features: Callable[[Tensor], Tensor] | None) -> Tensor:
    """(N, D) float64 on the CPU: clean latents (N, C, h, w) through the features, or as they are."""
    found = x0 if features is None else features(x0)
    return found.flatten(1).double().cpu()
