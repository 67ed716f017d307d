"""Offline LiRA: how much surer a model is of an example than models that never saw it.

phi = ln p_y - ln Σ_{j ≠ y} p_j. Models retrained without the forget set (other seeds) give every example its own mean
under "never seen"; with one variance for all examples, as for few shadow models, the likelihood ratio orders examples
by phi - mean phi of those models. Members: D_f; non-members: unseen test examples. Offline, because no test example was
ever trained on, so no model shows its phi under "seen". Source: arXiv 2112.03570; unlearning.md 6.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.metric import Array, CannotMeasure, ScoreStatus
from harness.metrics.unlearning.outcomes import Floats, View, some
from harness.metrics.unlearning.probabilities import scaled_confidence
from harness.metrics.unlearning.resampling import weights


def excess(seen: View, logits: Array) -> tuple[Floats, Floats]:
    """phi minus its mean over the other retrained models: (n_f,) forget, (n_u,) unseen test. Raises CannotMeasure."""
    others, label = seen.outcomes.retrain_others, seen.outcomes.label
    forget, unseen = some(seen.forget, "forget examples"), some(seen.unseen, "unseen test examples")
    if not others:
        text = "no shadow models: LiRA needs models retrained without the forget set besides the paired Retrain"
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, text)
    rows = np.concatenate([forget, unseen])
    never_seen = np.mean([scaled_confidence(o[rows], label[rows]) for o in others], axis=0)
    found = scaled_confidence(logits[rows], label[rows]) - never_seen
    return found[: len(forget)], found[len(forget) :]


def placements(member: Floats, other: Floats) -> Floats:
    """(n_m,) share of non-members below each member, ties halved. Their mean is the AUC."""
    ordered = np.sort(other)
    below = np.searchsorted(ordered, member, "left") + np.searchsorted(ordered, member, "right")
    return np.asarray(below / (2.0 * len(other)))


@dataclass(frozen=True)
class RankedScores:
    """Scores of members and non-members sorted once, for statistics of weights."""

    member: Floats
    other: Floats

    def auc(self, member_weight: Floats, other_weight: Floats) -> float:
        """Weighted P(member > other) + P(equal) / 2."""
        order = np.argsort(self.other, kind="stable")
        ordered, total = self.other[order], np.concatenate([[0.0], np.cumsum(other_weight[order])])
        left, right = (total[np.searchsorted(ordered, self.member, side)] for side in ("left", "right"))
        return float(member_weight @ (left + right) / (2.0 * total[-1] * member_weight.sum()))

    def tpr(self, fpr: float, member_weight: Floats, other_weight: Floats) -> float:
        """Weighted share of members above the lowest threshold that at most `fpr` of the non-members exceed."""
        order = np.argsort(-self.other, kind="stable")
        ordered = self.other[order]
        last = np.append(ordered[1:] != ordered[:-1], True)  # of equal scores the last knows how many are not below
        not_below = np.cumsum(other_weight[order])[last]
        inside = not_below <= fpr * other_weight.sum() * (1 + 1e-12)
        beyond = ordered[last][~inside]  # distinct scores, from above, that may not be exceeded from below
        threshold = beyond[0] if len(beyond) else -np.inf
        return float(member_weight @ (self.member > threshold) / member_weight.sum())


@dataclass(frozen=True)
class LikelihoodRatio:
    """AUC (fpr None), or the share of members found while at most `fpr` of the non-members are taken for some."""

    fpr: float | None = None

    def value(self, seen: View, logits: Array) -> float:
        member, other = excess(seen, logits)
        return self._of(RankedScores(member, other), np.ones(len(member)), np.ones(len(other)))

    def replicates(self, seen: View, logits: Array) -> Floats:
        """(R,) values under resampling of both sets; the shadow models stay."""
        ranked = RankedScores(*excess(seen, logits))
        sets = ("forget", "forgotten_test" if seen.unseen is not seen.test else "test")
        return np.array([self._of(ranked, w[seen.forget], w[seen.unseen]) for w in weights(seen, sets)])

    def _of(self, ranked: RankedScores, member: Floats, other: Floats) -> float:
        if self.fpr is None:
            return ranked.auc(member, other)
        if len(other) * self.fpr < 1.0:
            needed = int(np.ceil(1.0 / self.fpr))
            text = f"a false alarm rate of {self.fpr:g} needs {needed} non-members; found {len(other)}"
            raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, text)
        return ranked.tpr(self.fpr, member, other)
