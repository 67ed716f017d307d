"""How far predictions are from Retrain's, and from those of a model that never learnt: js_retrain and ZRF.

JS(p ‖ q) = (KL(p ‖ m) + KL(q ‖ m)) / 2 with m = (p + q) / 2, summed over classes, in nats; divided by ln 2 it lies in
[0, 1]; then the mean over the forget set. `js_retrain` takes q from Retrain; ZRF = 1 - JS with q from a randomly
initialised model. `zrf.badteacher_repo` is what the authors' code computes: arguments of KL reversed, means over
examples *and* classes, 1 - mean of (KL(m ‖ p) + KL(m ‖ q)) / 2: .845 in ten classes for a true .247, so it has a name
of its own. Source: unlearning.md 6.2; arXiv 2205.08096 (vikram2000b/bad-teaching-unlearning). Precision: 1e-12.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from harness.metrics.metric import (
    Array,
    CannotMeasure,
    Direction,
    Evidence,
    Measurement,
    Metric,
    Need,
    ScoreStatus,
    metric,
)
from harness.metrics.unlearning.accuracy import measured
from harness.metrics.unlearning.outcomes import Floats, Ints, View, some, view
from harness.metrics.unlearning.probabilities import log_probabilities
from harness.options import option
from harness.stats.units import Estimator, UnitKind, Units

SOURCE = "unlearning.md 6.2; arXiv 2205.08096"
LN2 = float(np.log(2.0))


def _log_middle(log_p: Floats, log_q: Floats) -> Floats:
    """log((p + q) / 2), exactly log p where p and q are equal: a model is at distance 0 from itself."""
    return np.asarray(np.where(log_p == log_q, log_p, np.logaddexp(log_p, log_q) - LN2))


def js(log_p: Floats, log_q: Floats) -> Floats:
    """(N,) Jensen-Shannon divergence in nats, summed over classes: 0 to ln 2. log_p, log_q (N, C)."""
    log_m = _log_middle(log_p, log_q)
    both = np.exp(log_p) * (log_p - log_m) + np.exp(log_q) * (log_q - log_m)
    return np.asarray(np.clip(both.sum(axis=1) / 2, 0.0, LN2))


def js_badteacher_repo(log_p: Floats, log_q: Floats) -> Floats:
    """(N,) (KL(m ‖ p) + KL(m ‖ q)) / (2 C): their mean over examples is the repository's value."""
    log_m = _log_middle(log_p, log_q)
    return np.asarray((np.exp(log_m) * (2 * log_m - log_p - log_q)).mean(axis=1) / 2)


def normalised_js(logits: Array, others: Array) -> Floats:
    """(N,) JS / ln 2 of the predictions of two models. logits, others (N, C)."""
    return js(log_probabilities(logits), log_probabilities(others)) / LN2


class _Divergence(Metric):
    """What the three share."""

    def needs(self) -> tuple[Need, ...]:
        return (Need("outcomes"),)


@metric("js_retrain", unit="share of ln 2", direction=Direction.LOWER, estimator=Estimator.MEAN, source=SOURCE)
@dataclass(frozen=True)
class JsRetrain(_Divergence):
    """Mean divergence of the predictions from Retrain's. Companion `floor`: that of Retrain's repetitions from it."""

    on: Literal["forget", "retain", "test"] = option("forget", help="the examples compared", source="as ZRF")

    def measure(self, evidence: Evidence) -> Measurement:
        seen = view(evidence)
        rows: Ints = some(getattr(seen, self.on), f"{self.on} examples")
        found = measured(seen, rows, normalised_js(seen.outcomes.logits[rows], seen.retrain[rows]))
        others = [normalised_js(other[rows], seen.retrain[rows]) for other in seen.outcomes.retrain_others]
        if others:
            value = np.mean(others, axis=0)
            units = Units(UnitKind.ITEMS, seen.key[rows], seen.cluster[rows], value)
            return replace(found, companions={"floor": Measurement(float(value.mean()), len(rows), units)})
        return found


@metric("zrf", unit="1 - share of ln 2", direction=Direction.TARGET, estimator=Estimator.MEAN, source=SOURCE)
@dataclass(frozen=True)
class Zrf(_Divergence):
    """Likeness of the forget set's predictions to those of a random network; the target is Retrain's."""

    def measure(self, evidence: Evidence) -> Measurement:
        seen = view(evidence)
        rows, mine, random = beside_random(seen)
        return measured(seen, rows, 1.0 - js(mine, random) / LN2)


@metric(
    "zrf.badteacher_repo",
    unit="1 - nats a class",
    direction=Direction.NONE,
    estimator=Estimator.MEAN,
    source=f"{SOURCE}, its code",
)
@dataclass(frozen=True)
class ZrfBadTeacherRepo(_Divergence):
    """What the code of the bad teacher prints as ZRF: reversed, over classes and examples. For comparison only."""

    def measure(self, evidence: Evidence) -> Measurement:
        seen = view(evidence)
        rows, mine, random = beside_random(seen)
        return measured(seen, rows, 1.0 - js_badteacher_repo(mine, random))


def beside_random(seen: View) -> tuple[Ints, Floats, Floats]:
    """Rows of the forget set, and log probabilities there of the unlearned and of the random model."""
    if seen.outcomes.logits_random is None:
        raise CannotMeasure(ScoreStatus.FAILED, "logits of a randomly initialised model: not brought by the task")
    rows = some(seen.forget, "forget examples")
    return rows, log_probabilities(seen.outcomes.logits[rows]), log_probabilities(seen.outcomes.logits_random[rows])
