"""AUS, the adaptive unlearning score: what test accuracy was kept, divided by what was not forgotten.

AUS = (1 - (A_t original - A_t)) / (1 + Δ); Δ = A_f where a class, sub-class or person is forgotten, |A_f - A_t| in
random forgetting. A_f is the accuracy on D_f, A_t on D_t without what is forgotten. A model that keeps its accuracy and
forgets the class has 1. Interval: keyed bootstrap of D_f and D_t. Source: unlearning.md 6.2; arXiv 2312.02052.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.cluster_bootstrap import replicate_units
from harness.metrics.metric import Direction, Evidence, Measurement, Metric, Need, metric
from harness.metrics.unlearning.accuracy import correct
from harness.metrics.unlearning.outcomes import some, view
from harness.metrics.unlearning.resampling import weights
from harness.stats.units import Estimator


def aus(test_original: float, test: float, forget: float, *, concept: bool) -> float:
    """The score from three accuracies. concept: a class, sub-class or person is forgotten, not random examples."""
    distance = forget if concept else abs(forget - test)
    return (1.0 - (test_original - test)) / (1.0 + distance)


@metric(
    "unlearn.AUS",
    unit="score",
    direction=Direction.HIGHER,
    estimator=Estimator.RATIO,
    source="unlearning.md 6.2; arXiv 2312.02052",
)
@dataclass(frozen=True)
class AdaptiveUnlearningScore(Metric):
    """Test accuracy kept over accuracy left on the forget set. Companion `retrain`: the score of Retrain."""

    def needs(self) -> tuple[Need, ...]:
        return (Need("outcomes"),)

    def measure(self, evidence: Evidence) -> Measurement:
        seen = view(evidence)
        own, concept = seen.outcomes, bool(seen.concept[seen.forget].any())
        forget, test = some(seen.forget, "forget examples"), some(seen.test, "test examples outside what is forgotten")
        before = correct(own.logits_original[test], own.label[test])
        scores = {}
        for name, logits in (("own", own.logits), ("retrain", seen.retrain)):
            kept, left = correct(logits[test], own.label[test]), correct(logits[forget], own.label[forget])
            value = aus(before.mean(), kept.mean(), left.mean(), concept=concept)
            replicates = []
            for w in weights(seen, ("forget", "test")):
                t, f = w[test] / w[test].sum(), w[forget] / w[forget].sum()
                replicates.append(aus(before @ t, kept @ t, left @ f, concept=concept))
            units = replicate_units(value, np.array(replicates))
            scores[name] = Measurement(float(value), len(forget) + len(test), units)
        return Measurement(
            scores["own"].value, scores["own"].n, scores["own"].units, companions={"retrain": scores["retrain"]}
        )
