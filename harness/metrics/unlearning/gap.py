"""The gap to Retrain: |metric - metric of Retrain|, of one metric or averaged over UA, RA, TA and one attack.

Two-sided: forgetting more than Retrain is as far from it as forgetting less. The interval is that of the signed
difference on the same examples, turned to the side that was found, so it may reach below 0 where the two cannot be
told apart. Companions: `signed`, the difference itself; `floor`, the mean gap between Retrain and its own repetitions
from other seeds, where there are some: what a gap of nothing looks like. Source: unlearning.md 6.2. Retrain against
itself is 0 exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from harness.metrics.cluster_bootstrap import replicate_units
from harness.metrics.metric import Direction, Evidence, Measurement, Metric, Need, metric
from harness.metrics.unlearning.outcomes import View, view
from harness.metrics.unlearning.quantities import QUANTITIES, replicates
from harness.options import option
from harness.stats.units import Estimator

SOURCE = "unlearning.md 6.2; arXiv 2310.12508"


def signed_gap(name: str, seen: View) -> float:
    """The quantity of the unlearned model minus that of Retrain. Raises CannotMeasure."""
    quantity = QUANTITIES[name]
    return quantity.value(seen, seen.outcomes.logits) - quantity.value(seen, seen.retrain)


def floor(names: Sequence[str], seen: View) -> float:
    """Mean over Retrain's repetitions of their mean gap to it, each taking its place among the shadow models."""
    own, found = seen.outcomes, []
    for i, other in enumerate(own.retrain_others):
        others = (*own.retrain_others[:i], seen.retrain, *own.retrain_others[i + 1 :])
        swapped = replace(seen, outcomes=replace(own, logits_retrain=other, retrain_others=others))
        pairs = [(QUANTITIES[n].value(swapped, other), QUANTITIES[n].value(seen, seen.retrain)) for n in names]
        found.append(np.mean([abs(a - b) for a, b in pairs]))
    return float(np.mean(found))


def gap(names: Sequence[str], evidence: Evidence) -> Measurement:
    """The mean over the named quantities of the absolute difference to Retrain."""
    seen = view(evidence)
    signed = {name: signed_gap(name, seen) for name in names}
    value, units = float(np.mean([abs(d) for d in signed.values()])), []
    for name, difference in signed.items():
        mine, theirs = (replicates(QUANTITIES[name], seen, logits) for logits in (seen.outcomes.logits, seen.retrain))
        units.append((mine - theirs) * (-1.0 if difference < 0 else 1.0))
    length = min(map(len, units))
    mean = np.mean([u[:length] for u in units], axis=0)
    n = len(seen.key)
    companions = {}
    if len(names) == 1:
        (difference,) = signed.values()
        turned = replicate_units(difference, -mean if difference < 0 else mean)
        companions["signed"] = Measurement(difference, n, turned)
    if seen.outcomes.retrain_others:
        companions["floor"] = Measurement(floor(names, seen), n, None)
    return Measurement(value, n, replicate_units(value, mean), companions=companions)


class _Gap(Metric):
    """What both share."""

    def needs(self) -> tuple[Need, ...]:
        return (Need("outcomes"),)


@metric(
    "unlearn.gap.{quantity}",
    unit="absolute difference",
    direction=Direction.LOWER,
    estimator=Estimator.MEAN,
    ideal=0.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class Gap(_Gap):
    """How far one metric is from Retrain's, on either side."""

    quantity: str = option(help="UA, RA, TA, TA_forgotten, or an attack: svc_conf, logreg_entropy, loss_cv, lira, …")

    def measure(self, evidence: Evidence) -> Measurement:
        return gap((self.quantity,), evidence)


@metric(
    "unlearn.gap.mean",
    unit="absolute difference",
    direction=Direction.LOWER,
    estimator=Estimator.MEAN,
    ideal=0.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class MeanGap(_Gap):
    """Mean gap to Retrain over UA, RA, TA and one membership attack."""

    attack: Literal["svc_conf", "logreg_entropy", "svc_entropy", "loss_cv", "lira"] = option(
        "svc_conf", help="the attack that enters the mean", source="SalUn's average gap"
    )

    def measure(self, evidence: Evidence) -> Measurement:
        return gap(("UA", "RA", "TA", self.attack), evidence)
