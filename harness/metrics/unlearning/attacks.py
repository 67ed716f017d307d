"""Membership attacks as numbers of one model: value, replicates, and what they say of each forget example.

An attack sees one feature of every example under the attacked model. `LearntOnRetain` learns D_r from D_t and is asked
about D_f; `CrossValidated` learns D_f from unseen test examples in ten folds. Source: unlearning.md 6.3, which says why
their values are not comparable: hence a name each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.keys import generator
from harness.metrics.metric import Array, CannotMeasure, ScoreStatus
from harness.metrics.unlearning.attackers import logistic, many_support_vectors, support_vectors
from harness.metrics.unlearning.outcomes import Floats, Ints, View, some
from harness.metrics.unlearning.probabilities import entropy, log_probabilities, loss, modified_entropy
from harness.metrics.unlearning.resampling import batched, bins, weights

Feature = Literal["correct_prob", "max_prob", "entropy", "m_entropy"]
Attacker = Literal["svc", "logreg"]

DISTINCT = 1000  # points a side to which the support vectors are fitted: exact for fewer examples, else means of ranks
COARSE = {"svc": 32, "logreg": 128, "cv": 16}  # points a side, and fold, in a replicate
ASKED = 512  # distinct values at which a replicate's attacker is asked about the forget set
FOLDS = 10
CHUNK = 20  # replicates fitted at once
ENOUGH = 1e-6  # relative precision of the logistic fits


def feature(name: Feature, logits: Array, label: Array) -> Floats:
    """(N,) what the attacker sees. logits (N, C), label (N,)."""
    if name == "correct_prob":
        return np.exp(-loss(logits, label))
    if name == "max_prob":
        return np.asarray(np.exp(log_probabilities(logits).max(axis=1)))
    return entropy(logits) if name == "entropy" else modified_entropy(logits, label)


@dataclass(frozen=True)
class LearntOnRetain:
    """An attacker that learns members (D_r) from non-members (D_t, without what is forgotten) and judges D_f.

    svc     as many of D_r, the first in key order, as D_t has; members and non-members weigh alike by their number
    logreg  all of D_r, both sides given the same total weight (class_weight "balanced")
    """

    attacker: Attacker
    sees: Feature

    def members(self, seen: View) -> Ints:
        """Rows of D_r that the attacker learns from."""
        rows = some(seen.retain, "retain examples: the attacker has no members to learn from")
        return rows[: len(seen.test)] if self.attacker == "svc" else rows

    def judged(self, seen: View, logits: Array) -> NDArray[np.bool_]:
        """(n_f,) whether each forget example is taken for a member."""
        a, b, f = self._sides(seen, logits)
        return self._fitted(a, b, f)

    def replicates(self, seen: View, logits: Array) -> Floats:
        """(R,) share of the forget set taken for members, the attacker fitted anew to each resample."""
        a, b, f = self._sides(seen, logits)
        inside, outside, asked = bins(a, COARSE[self.attacker]), bins(b, COARSE[self.attacker]), bins(f, ASKED)
        x, members, found = np.concatenate([inside.centre, outside.centre]), self.members(seen), []
        member = np.arange(len(x)) < len(inside.centre)
        for chunk in batched(weights(seen, ("forget", "retain", "test")), CHUNK):
            wa = np.array([inside.sums(w[members]) for w in chunk])
            wb = np.array([outside.sums(w[seen.test]) for w in chunk])
            own = np.array([asked.sums(w[seen.forget]) for w in chunk])
            kept = wa.any(axis=1) & wb.any(axis=1)  # a resample of few large clusters may miss a side
            if kept.any():
                said = self._many(x, member, wa[kept], wb[kept], asked.centre)
                found.append((own[kept] * said).sum(axis=1) / own[kept].sum(axis=1))
        return np.concatenate(found) if found else np.empty(0)

    def _sides(self, seen: View, logits: Array) -> tuple[Floats, Floats, Floats]:
        some(seen.test, "test examples: the attacker has no non-members to learn from")
        members, forget = self.members(seen), some(seen.forget, "forget examples")
        values = feature(self.sees, logits, seen.outcomes.label)
        return values[members], values[seen.test], values[forget]

    def _fitted(self, a: Floats, b: Floats, target: Floats) -> NDArray[np.bool_]:
        if self.attacker == "logreg":
            x, member = np.concatenate([a, b]), np.arange(len(a) + len(b)) < len(a)
            return self._many(x, member, np.ones((1, len(a))), np.ones((1, len(b))), target).ravel()
        sides = bins(a, DISTINCT), bins(b, DISTINCT)
        x, weight = np.concatenate([s.centre for s in sides]), np.concatenate([s.counts for s in sides])
        return support_vectors(x, np.arange(len(x)) < len(sides[0].centre), weight, target)

    def _many(self, x: Floats, member: NDArray[np.bool_], wa: Floats, wb: Floats, target: Floats) -> NDArray[np.bool_]:
        """(K, m) whether each target is taken for a member, under K weights of members and of non-members."""
        if self.attacker == "svc":
            return many_support_vectors(x, member, np.concatenate([wa, wb], axis=1), target)
        ours, theirs = wa.sum(axis=1, keepdims=True), wb.sum(axis=1, keepdims=True)
        half = (ours + theirs) / 2
        each = np.concatenate([wa * half / ours, wb * half / theirs], axis=1)
        (start,) = logistic(x, member, each[:1])
        fits = logistic(x, member, each, start, ENOUGH)
        return np.asarray(fits[:, :1] * target + fits[:, 1:] > 0)

    def cross_fitted(self, seen: View, logits: Array) -> tuple[Floats, Floats]:
        """Whether D_f is taken for members (n_f,), unseen test examples for none (n_u,), by attackers of two halves.

        Nobody is judged by an attacker that learnt from it; who may be judged by both gets the mean.
        """
        values, unseen = feature(self.sees, logits, seen.outcomes.label), some(seen.unseen, "unseen test examples")
        members = self.members(seen)
        half_a, half_b = _dealt(seen, members, 2), _dealt(seen, seen.test, 2)
        said_f, said_u = [], []
        for h in (0, 1):
            a, b = values[members[half_a == h]], values[seen.test[half_b == h]]
            if not (len(a) and len(b)):
                raise CannotMeasure(
                    ScoreStatus.INSUFFICIENT_N, "half of the examples leave an attacker nothing to learn"
                )
            said_f.append(self._fitted(a, b, values[seen.forget]))
            said_u.append(self._fitted(a, b, values[unseen]))
        taken = np.array(said_u, dtype=np.float64)
        own = taken.mean(axis=0) if unseen is not seen.test else taken[1 - half_b, np.arange(len(unseen))]
        return np.mean(said_f, axis=0), 1.0 - own


@dataclass(frozen=True)
class CrossValidated:
    """Logistic regression on the loss, D_f against as many unseen test examples, each judged out of ten folds."""

    def rows(self, seen: View) -> tuple[Ints, Ints]:
        """Rows of D_f and of the unseen test set, equally many, chosen by key where one is larger."""
        forget, unseen = some(seen.forget, "forget examples"), some(seen.unseen, "unseen test examples")
        count = min(len(forget), len(unseen))
        if count < FOLDS:
            text = f"{FOLDS} folds need {FOLDS} forget and {FOLDS} unseen test examples; found {count}"
            raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, text)
        chosen = [self._chosen(seen, rows, count, name) for rows, name in ((forget, "forget"), (unseen, "unseen"))]
        return chosen[0], chosen[1]

    def _chosen(self, seen: View, rows: Ints, count: int, name: str) -> Ints:
        if len(rows) == count:
            return rows
        random = generator(seen.seed, "stats", "unlearning", "loss_cv", name)
        return np.sort(random.permutation(rows)[:count])

    def right(self, seen: View, logits: Array) -> tuple[Floats, Floats]:
        """(n,), (n,) whether the members, and the non-members, are told by the nine folds without them."""
        members, _ = self.rows(seen)
        points = self._points(seen, logits, len(seen.key))
        said = points.right(np.ones((1, len(seen.key))))[0][0][points.into]
        return said[: len(members)], said[len(members) :]

    def replicates(self, seen: View, logits: Array) -> Floats:
        """(R,) accuracies, attackers fitted anew to each resample; copies of an example stay in its fold."""
        points = self._points(seen, logits, COARSE["cv"])
        sets = ("forget", "test" if seen.unseen is seen.test else "forgotten_test")
        found = []
        for chunk in batched(weights(seen, sets), CHUNK):
            right, weight = points.right(np.array(chunk))
            total = weight.sum(axis=1)
            found.append(((right * weight).sum(axis=1) / total)[total > 0])
        return np.concatenate(found)

    def _points(self, seen: View, logits: Array, most: int) -> _Points:
        pair = self.rows(seen)
        rows, member = np.concatenate(pair), np.repeat([True, False], len(pair[0]))
        values = loss(logits[rows], seen.outcomes.label[rows])
        group = np.concatenate([_dealt(seen, part, FOLDS) for part in pair]) + FOLDS * ~member
        into = np.empty(len(rows), dtype=np.int64)
        centre: list[Floats] = []
        for g in range(2 * FOLDS):  # points never mix folds or sides
            cut = bins(values[group == g], most)
            into[group == g] = sum(len(c) for c in centre) + cut.member
            centre.append(cut.centre)
        owner = np.repeat(np.arange(2 * FOLDS), [len(c) for c in centre])
        return _Points(np.concatenate(centre), owner % FOLDS, owner < FOLDS, into, rows)


@dataclass(frozen=True)
class _Points:
    """value, fold, member (B,) of the points that stand for examples; into (n,) the point of each of the rows (n,)."""

    value: Floats
    fold: Ints
    member: NDArray[np.bool_]
    into: Ints
    rows: Ints

    def right(self, weights_: Floats) -> tuple[Floats, Floats]:
        """(K, B) whether each point is told by the folds without it, (K, B) its weight. weights_ (K, N)."""
        weight = np.array([np.bincount(self.into, weights=w[self.rows], minlength=len(self.value)) for w in weights_])
        without = self.fold != np.arange(FOLDS)[:, None]
        (start,) = logistic(self.value, self.member, weight[:1])
        each = (weight[:, None] * without).reshape(-1, len(self.value))
        fits = logistic(self.value, self.member, each, start, ENOUGH)
        own = fits.reshape(len(weights_), FOLDS, 2)[:, self.fold]
        taken = own[..., 0] * self.value + own[..., 1] > 0
        return (taken == self.member).astype(np.float64), weight


def _dealt(seen: View, rows: Ints, parts: int) -> Ints:
    """(K,) the part of each row: whole clusters, dealt by key."""
    clusters, member = np.unique(seen.cluster[rows], return_inverse=True)
    order = generator(seen.seed, "stats", "unlearning", "parts").permutation(len(clusters))
    part = np.empty(len(clusters), dtype=np.int64)
    part[order] = np.arange(len(clusters)) % parts
    return part[member]
