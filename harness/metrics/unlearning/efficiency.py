"""RTE, run-time efficiency: wall minutes of the method, and as a share of retraining.

One number a model, so the seed is the unit: one seed has no interval. Minutes are those of the machine that ran;
the companion `share` (method / Retrain, same machine) travels better. Source: unlearning.md 6.2; arXiv 2310.12508.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.metric import CannotMeasure, Direction, Evidence, Measurement, Metric, Need, ScoreStatus, metric
from harness.metrics.unlearning.outcomes import view
from harness.stats.units import Estimator, UnitKind, Units


@metric(
    "unlearn.RTE",
    unit="minutes",
    direction=Direction.LOWER,
    estimator=Estimator.SEEDS,
    ideal=0.0,
    source="unlearning.md 6.2; arXiv 2310.12508",
)
@dataclass(frozen=True)
class RunTime(Metric):
    """Wall minutes that unlearning took. Companion `share`: of those that retraining took."""

    def needs(self) -> tuple[Need, ...]:
        return (Need("outcomes"),)

    def measure(self, evidence: Evidence) -> Measurement:
        own = view(evidence).outcomes
        if own.seconds_method is None or own.seconds_retrain is None:
            missing = "the method" if own.seconds_method is None else "retraining"
            raise CannotMeasure(ScoreStatus.UNDEFINED, f"nobody measured how long {missing} took")
        if not own.seconds_retrain > 0 or own.seconds_method < 0:
            raise CannotMeasure(ScoreStatus.FAILED, "a run time is not positive")
        minutes, share = own.seconds_method / 60.0, own.seconds_method / own.seconds_retrain
        return Measurement(
            minutes, 1, _one(minutes, own.seed), companions={"share": Measurement(share, 1, _one(share, own.seed))}
        )


def _one(value: float, seed: int) -> Units:
    """One unit, in the cluster of its seed: the seeds of an aggregate are then its units."""
    return Units(UnitKind.ITEMS, np.array(["model"]), np.array([f"seed-{seed}"]), np.array([value]))
