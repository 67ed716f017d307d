"""Attribute divergence: Kullback-Leibler divergence of the predicted class shares from a target, over open prompts.

`attr.kl` = Σ p̂ ln(p̂/q) in nats, 0 ln 0 = 0, averaged over prompts; 0 where the shares are the target's. It weighs a
missing class more than `attr.tv` does. Biased up by about (K - 1)/(2n) a prompt at p = q, so it carries the same `null`
and `null95` as the family; infinite where the target excludes a class, which is refused. The corrected form undoes the
confusion matrix and carries the uncorrected value and the `condition` number of that inversion.
Interval, correction, null: harness/metrics/attribute_shares.py. Source: generation.md section 4 and metrics.md section
8. Precision: 1e-12; p = (.7, .3) against (.5, .5): .0822828.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.attribute_shares import CorrectedShares, Open, Shares
from harness.metrics.inputs import Floats
from harness.metrics.metric import Array, CannotMeasure, Direction, Measurement, ScoreStatus, metric
from harness.stats.units import Estimator

OWN = "generation.md section 4"


def divergence(shares: Array, target: Array) -> Floats:
    """Σ p ln(p/q) over the last axis, in nats; infinite where a class of target 0 occurs."""
    p, q = np.broadcast_arrays(np.asarray(shares, dtype=np.float64), target)
    with np.errstate(divide="ignore"):
        terms = np.where(p > 0, p * (np.log(np.where(p > 0, p, 1.0)) - np.log(q)), 0.0)
    return np.asarray(np.maximum(terms.sum(axis=-1), 0.0))  # rounding may leave -1e-17


def refuse_excluded(data: Open, attribute: str) -> None:
    """Raises CannotMeasure where the target of a prompt gives a class no mass."""
    if (data.target <= 0).any():
        raise CannotMeasure(
            ScoreStatus.UNDEFINED,
            f"the target of {attribute!r} excludes a class, and the divergence from it is infinite; use attr.tv",
        )


@metric(
    "attr.kl.{attribute}",
    unit="nats",
    direction=Direction.LOWER,
    estimator=Estimator.SHARES,
    ideal=0.0,
    source=OWN,
)
@dataclass(frozen=True)
class Divergence(Shares):
    """Divergence of predicted from wanted shares, mean over open prompts."""

    def statistic(self, shares: Array, target: Array) -> Floats:
        return divergence(shares, target)

    def measured(self, data: Open, seed: int) -> Measurement:
        refuse_excluded(data, self.attribute)
        return super().measured(data, seed)


@metric(
    "attr.kl_corrected.{attribute}",
    unit="nats",
    direction=Direction.LOWER,
    estimator=Estimator.SHARES,
    ideal=0.0,
    source=OWN,
)
@dataclass(frozen=True)
class DivergenceCorrected(CorrectedShares):
    """Divergence of corrected from wanted shares, mean over open prompts."""

    def statistic(self, shares: Array, target: Array) -> Floats:
        return divergence(shares, target)

    def measured(self, data: Open, seed: int) -> Measurement:
        refuse_excluded(data, self.attribute)
        return super().measured(data, seed)
