"""Membership attacks on the forget set, each under its own name; there is no plain `mia`.

svc_conf (SalUn) reports non-members, logreg_entropy (SSD) and svc_entropy (bad teacher) members, loss_cv (starting kit
of the NeurIPS 2023 challenge) the accuracy of telling D_f from as many unseen test examples, lira an AUC. Their targets
are Retrain's values, which a model that forgets too much misses as well: two-sided gaps are `unlearn.gap.NAME`.
Where a class, sub-class or person is forgotten, unseen examples are test examples of it (ours: any other test example
is told by its class, which no retraining hides). Companion `balanced` of the attacks learnt on D_r against D_t: their
accuracy in telling D_f from unseen test examples, cross-fitted in two halves; .5 where nothing can be told.
Source: unlearning.md 6.3. Precision: shares are exact up to libsvm's tolerance; above 1000 examples a side its attacker
is fitted to 1000 weighted means of neighbours (with 4000 a side the share moved by .0005 at most in three trials).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.cluster_bootstrap import replicate_units
from harness.metrics.metric import Direction, Evidence, Measurement, Metric, Need, metric
from harness.metrics.unlearning.attacks import CrossValidated, Feature, LearntOnRetain
from harness.metrics.unlearning.likelihood_ratio import LikelihoodRatio, excess, placements
from harness.metrics.unlearning.outcomes import Floats, Ints, View, view
from harness.metrics.unlearning.quantities import Judged, Quantity, Told, replicates
from harness.options import option
from harness.stats.units import Estimator, UnitKind, Units

SOURCE = "unlearning.md 6.3"


class _Attack(Metric):
    """What the attacks share."""

    def needs(self) -> tuple[Need, ...]:
        return (Need("outcomes"),)


def attacked(
    seen: View, quantity: Quantity, value: float, rows: Ints, items: Floats, **more: Measurement
) -> Measurement:
    """A measurement with replicates, with per-example items, and with companions."""
    units = replicate_units(value, replicates(quantity, seen, seen.outcomes.logits))
    return Measurement(value, len(rows), units, (seen.key[rows], seen.cluster[rows], items), more)


def learnt_on_retain(evidence: Evidence, quantity: Judged) -> Measurement:
    """The measurement of an attack that learns D_r from D_t."""
    seen = view(evidence)
    said = quantity.attack.judged(seen, seen.outcomes.logits).astype(np.float64)
    items = said if quantity.members else 1.0 - said
    balanced = telling_apart(seen, *quantity.attack.cross_fitted(seen, seen.outcomes.logits))
    return attacked(seen, quantity, float(items.mean()), seen.forget, items, balanced=balanced)


def telling_apart(seen: View, forget: Floats, unseen: Floats) -> Measurement:
    """(mean of forget + mean of unseen) / 2 with items whose spread is that of a sum of two independent means."""
    value, total = (forget.mean() + unseen.mean()) / 2, len(forget) + len(unseen)

    def spread(x: Floats) -> Floats:
        return np.asarray(0.5 * np.sqrt(total * (total - 1) / (len(x) * max(1, len(x) - 1))) * (x - x.mean()))

    rows = np.concatenate([seen.forget, seen.unseen])
    linear = value + np.concatenate([spread(forget), spread(unseen)])
    return Measurement(float(value), total, Units(UnitKind.ITEMS, seen.key[rows], seen.cluster[rows], linear))


@metric(
    "mia.svc_conf",
    unit="share of the forget set taken for non-members",
    direction=Direction.TARGET,
    estimator=Estimator.PROPORTION,
    source=f"{SOURCE}; arXiv 2310.12508, code of Unlearn-Saliency",
)
@dataclass(frozen=True)
class SvcConfidence(_Attack):
    """Share of the forget set that support vectors on one confidence call non-members; the target is Retrain's."""

    sees: Feature = option(
        "correct_prob", help="what the attacker sees of an example", source="SalUn's tables: p of the true class"
    )

    def measure(self, evidence: Evidence) -> Measurement:
        return learnt_on_retain(evidence, Judged(LearntOnRetain("svc", self.sees), members=False))


@metric(
    "mia.logreg_entropy",
    unit="share of the forget set taken for members",
    direction=Direction.TARGET,
    estimator=Estimator.PROPORTION,
    source=f"{SOURCE}; arXiv 2308.07707",
)
@dataclass(frozen=True)
class LogisticEntropy(_Attack):
    """Share of the forget set that logistic regression on the entropy calls members; the target is Retrain's."""

    def measure(self, evidence: Evidence) -> Measurement:
        return learnt_on_retain(evidence, Judged(LearntOnRetain("logreg", "entropy"), members=True))


@metric(
    "mia.svc_entropy",
    unit="share of the forget set taken for members",
    direction=Direction.TARGET,
    estimator=Estimator.PROPORTION,
    source=f"{SOURCE}; arXiv 2205.08096",
)
@dataclass(frozen=True)
class SvcEntropy(_Attack):
    """Share of the forget set that support vectors on the entropy call members; the target is Retrain's."""

    def measure(self, evidence: Evidence) -> Measurement:
        return learnt_on_retain(evidence, Judged(LearntOnRetain("svc", "entropy"), members=True))


@metric(
    "mia.loss_cv",
    unit="accuracy of the attack",
    direction=Direction.TARGET,
    estimator=Estimator.PROPORTION,
    ideal=0.5,
    source=f"{SOURCE}; starting kit of the NeurIPS 2023 unlearning challenge",
)
@dataclass(frozen=True)
class CrossValidatedLoss(_Attack):
    """How often ten-fold logistic regression on the loss tells the forget set from unseen examples; .5 is ideal."""

    def measure(self, evidence: Evidence) -> Measurement:
        seen, attack = view(evidence), CrossValidated()
        items = np.concatenate(attack.right(seen, seen.outcomes.logits))
        return attacked(seen, Told(attack), float(items.mean()), np.concatenate(attack.rows(seen)), items)


@metric(
    "mia.lira",
    unit="AUC",
    direction=Direction.TARGET,
    estimator=Estimator.U_STATISTIC,
    ideal=0.5,
    source=f"{SOURCE}; arXiv 2112.03570",
)
@dataclass(frozen=True)
class Lira(_Attack):
    """AUC of offline LiRA for the forget set against unseen examples; .5 is ideal, 0 as telling as 1.

    Companion `shadows`: models retrained without the forget set from which "never seen" was learnt.
    """

    def measure(self, evidence: Evidence) -> Measurement:
        seen = view(evidence)
        items = placements(*excess(seen, seen.outcomes.logits))
        shadows = Measurement(float(len(seen.outcomes.retrain_others)), len(items), None)
        return attacked(seen, LikelihoodRatio(), float(items.mean()), seen.forget, items, shadows=shadows)


@metric(
    "mia.lira.tpr",
    unit="share of the forget set found",
    direction=Direction.TARGET,
    estimator=Estimator.U_STATISTIC,
    source=f"{SOURCE}; arXiv 2112.03570",
)
@dataclass(frozen=True)
class LiraTruePositives(_Attack):
    """Share of the forget set that offline LiRA finds at a false alarm rate; the target is Retrain's."""

    fpr: float = option(0.001, above=0, below=1, help="share of unseen examples that may be taken for members")

    def measure(self, evidence: Evidence) -> Measurement:
        seen, quantity = view(evidence), LikelihoodRatio(self.fpr)
        value = quantity.value(seen, seen.outcomes.logits)
        units = replicate_units(value, replicates(quantity, seen, seen.outcomes.logits))
        return Measurement(value, len(seen.forget), units)
