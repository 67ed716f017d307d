"""Quantities: numbers of one model on the examples, which the gap takes of the unlearned model and of Retrain.

A quantity has a value and replicates under the keyed resampling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from harness.metrics.metric import Array, CannotMeasure, ScoreStatus
from harness.metrics.unlearning.accuracy import correct
from harness.metrics.unlearning.attacks import CrossValidated, LearntOnRetain
from harness.metrics.unlearning.likelihood_ratio import LikelihoodRatio
from harness.metrics.unlearning.memory import remembered
from harness.metrics.unlearning.outcomes import Floats, Ints, View, some
from harness.metrics.unlearning.resampling import weights


class Quantity(Protocol):
    """A number of one model."""

    def value(self, seen: View, logits: Array) -> float:
        """The number. Raises CannotMeasure."""

    def replicates(self, seen: View, logits: Array) -> Floats:
        """(R,) the number under each resample of the examples."""


@dataclass(frozen=True)
class Accuracy:
    """Accuracy on a set, or the share of errors."""

    on: Literal["forget", "retain", "test", "forgotten_test"]
    errors: bool = False

    def value(self, seen: View, logits: Array) -> float:
        return float(self._items(seen, logits).mean())

    def replicates(self, seen: View, logits: Array) -> Floats:
        rows, items = self._rows(seen), self._items(seen, logits)
        return np.array([items @ w[rows] / w[rows].sum() for w in weights(seen, (self.on,))])

    def _rows(self, seen: View) -> Ints:
        rows: Ints = getattr(seen, self.on)
        return some(rows, f"examples of the {self.on.replace('_', ' ')} set")

    def _items(self, seen: View, logits: Array) -> Floats:
        rows = self._rows(seen)
        right = correct(logits[rows], seen.outcomes.label[rows])
        return 1.0 - right if self.errors else right


@dataclass(frozen=True)
class Judged:
    """Share of the forget set that an attack calls members, or non-members."""

    attack: LearntOnRetain
    members: bool

    def value(self, seen: View, logits: Array) -> float:
        share = float(self.attack.judged(seen, logits).mean())
        return share if self.members else 1.0 - share

    def replicates(self, seen: View, logits: Array) -> Floats:
        share = self.attack.replicates(seen, logits)
        return share if self.members else 1.0 - share


@dataclass(frozen=True)
class Told:
    """Accuracy of the cross-validated attack."""

    attack: CrossValidated

    def value(self, seen: View, logits: Array) -> float:
        return float(np.concatenate(self.attack.right(seen, logits)).mean())

    def replicates(self, seen: View, logits: Array) -> Floats:
        return self.attack.replicates(seen, logits)


SVC_CONF = Judged(LearntOnRetain("svc", "correct_prob"), members=False)
LOGREG_ENTROPY = Judged(LearntOnRetain("logreg", "entropy"), members=True)
SVC_ENTROPY = Judged(LearntOnRetain("svc", "entropy"), members=True)

QUANTITIES: Mapping[str, Quantity] = {
    "UA": Accuracy("forget", errors=True),
    "RA": Accuracy("retain"),
    "TA": Accuracy("test"),
    "TA_forgotten": Accuracy("forgotten_test"),
    "svc_conf": SVC_CONF,
    "logreg_entropy": LOGREG_ENTROPY,
    "svc_entropy": SVC_ENTROPY,
    "loss_cv": Told(CrossValidated()),
    "lira": LikelihoodRatio(),
}


def replicates(quantity: Quantity, seen: View, logits: Array) -> Floats:
    """(R,) replicates, computed once for the same model, examples and quantity."""
    own = seen.outcomes
    enters = (logits, own.role, own.label, seen.concept, seen.cluster, *own.retrain_others)
    found = remembered(repr((quantity, seen.seed)), enters, lambda: quantity.replicates(seen, logits))
    if not len(found):
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "too few clusters to resample")
    return found
