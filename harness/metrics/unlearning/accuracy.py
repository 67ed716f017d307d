"""UA, RA, TA and the forgotten class's test accuracy: what the unlearned model gets right.

UA = 1 - accuracy on the forget set D_f: its target is Retrain's value, not 1 (random forgetting: Retrain still
generalises to D_f). RA, TA: accuracy on the retain and test sets. Where a class, a sub-class or a person is forgotten,
TA leaves its test examples out and TA_forgotten is the accuracy on them. Source: unlearning.md 6.2. Precision: exact.
"""

from __future__ import annotations

from dataclasses import dataclass

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
from harness.metrics.unlearning.outcomes import Floats, Ints, View, some, view
from harness.stats.units import Estimator, UnitKind, Units

SOURCE = "unlearning.md 6.2; arXiv 2304.04934, 2310.12508"


def correct(logits: Array, label: Array) -> Floats:
    """(N,) float64, 1 where the largest logit (the first of equal ones) is the label's. logits (N, C), label (N,)."""
    return np.asarray(logits.argmax(axis=1) == label, dtype=np.float64)


def measured(seen: View, rows: Ints, value: Floats) -> Measurement:
    """The mean of one value an example, its items kept. rows (K,), value (K,)."""
    key, cluster = seen.key[rows], seen.cluster[rows]
    units = Units(UnitKind.ITEMS, key, cluster, value)
    return Measurement(float(value.mean()), len(value), units, (key, cluster, value))


class _OnExamples(Metric):
    """What the four share."""

    def needs(self) -> tuple[Need, ...]:
        return (Need("outcomes"),)

    def accuracy(self, seen: View, rows: Ints) -> Floats:
        own = seen.outcomes
        return correct(own.logits[rows], own.label[rows])


@metric(
    "unlearn.UA",
    unit="share of the forget set",
    direction=Direction.TARGET,
    estimator=Estimator.PROPORTION,
    source=SOURCE,
)
@dataclass(frozen=True)
class UnlearningAccuracy(_OnExamples):
    """Share of the forget set that is classified wrongly; the target is Retrain's."""

    def measure(self, evidence: Evidence) -> Measurement:
        seen = view(evidence)
        rows = some(seen.forget, "forget examples")
        return measured(seen, rows, 1.0 - self.accuracy(seen, rows))


@metric(
    "unlearn.RA",
    unit="share of the retain set",
    direction=Direction.HIGHER,
    estimator=Estimator.PROPORTION,
    ideal=1.0,
    right=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class RetainAccuracy(_OnExamples):
    """Accuracy on the retain set, which was trained on."""

    def measure(self, evidence: Evidence) -> Measurement:
        seen = view(evidence)
        rows = some(seen.retain, "retain examples")
        return measured(seen, rows, self.accuracy(seen, rows))


@metric(
    "unlearn.TA",
    unit="share of the test set",
    direction=Direction.HIGHER,
    estimator=Estimator.PROPORTION,
    ideal=1.0,
    right=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class TestAccuracy(_OnExamples):
    """Accuracy on the test set, without the test examples of what is forgotten."""

    __test__ = False  # its name is the field's; pytest would collect it

    def measure(self, evidence: Evidence) -> Measurement:
        seen = view(evidence)
        rows = some(seen.test, "test examples outside what is forgotten")
        return measured(seen, rows, self.accuracy(seen, rows))


@metric(
    "unlearn.TA_forgotten",
    unit="share of the forgotten class's test examples",
    direction=Direction.TARGET,
    estimator=Estimator.PROPORTION,
    source=SOURCE,
)
@dataclass(frozen=True)
class ForgottenTestAccuracy(_OnExamples):
    """Accuracy on test examples of the forgotten class, sub-class or person; the target is Retrain's."""

    def measure(self, evidence: Evidence) -> Measurement:
        seen = view(evidence)
        if not seen.concept.any():
            text = "random examples are forgotten: there is no forgotten class, sub-class or person"
            raise CannotMeasure(ScoreStatus.UNDEFINED, text)
        rows = some(seen.forgotten_test, "test examples of what is forgotten")
        return measured(seen, rows, self.accuracy(seen, rows))
