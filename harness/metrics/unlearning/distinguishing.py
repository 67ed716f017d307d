"""How well two families of models are told apart by one example: the epsilon of the NeurIPS 2023 unlearning challenge.

u, r (N,): phi of an example under N unlearned and N retrained models. Rules: (a) phi ≥ t, positive = the family of the
larger median, t on a grid of 100 a unit over the joint range; (b) left ≤ phi ≤ right, positive = the family of the
smaller range w, right within 2 of its maximum, left within 2 of right - w, 400 each. With a rule's FPR and FNR,
epsilon = max(ln(1 - δ - FPR) - ln FNR, ln(1 - δ - FNR) - ln FPR), δ = 1e-5; no error at all is 50, exactly one kind of
error is no evidence; clipped to [0, 50]; the largest over all rules. Ranges that differ a hundredfold give 50.
Source: unlearning.md 6.4; google-deepmind/unlearning_evaluation@ffae0ff. The challenge leaves two cases open: where no
rule is evidence epsilon is 0, and where neither family varies it is 0 or, if they differ, 50 (ours).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.metrics.unlearning.outcomes import Floats, Ints

DELTA = 1e-5
CAP = 50.0
PER_UNIT = 100
BUFFER = 2.0
NARROW = 0.01


@dataclass(frozen=True)
class _Rules:
    """Rules as cuts (U,) of the sorted families: a rule takes positions [low, high) of each for positive.

    first  whether `u` is the positive family
    """

    first: bool
    low_u: Ints
    high_u: Ints
    low_r: Ints
    high_r: Ints

    def best(self, u: Floats, r: Floats, table: Floats) -> Floats:
        """(K,) largest epsilon over the rules. u, r (K, N + 1): weight of the models below each cut."""
        inside_u, inside_r = u[:, self.high_u] - u[:, self.low_u], r[:, self.high_r] - r[:, self.low_r]
        positive, negative = (inside_u, inside_r) if self.first else (inside_r, inside_u)
        missed = len(table) - 1 - positive
        return np.asarray(table[missed.astype(np.int64), negative.astype(np.int64)].max(axis=1))


@lru_cache(maxsize=8)
def epsilons(n: int) -> Floats:
    """(n + 1, n + 1) epsilon of a rule that misses i positives and takes j negatives, of n each; -1: no evidence."""
    rate = np.arange(n + 1) / n
    fnr, fpr = rate[:, None], rate[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        both = np.log(1 - DELTA - fpr) - np.log(fnr), np.log(1 - DELTA - fnr) - np.log(fpr)
    found = np.clip(np.fmax(*both), 0.0, CAP)  # fmax: a rate of 1 has no logarithm
    found = np.where(np.isnan(found), -1.0, found)
    found[0, :] = found[:, 0] = -1.0
    found[0, 0] = CAP
    found.setflags(write=False)
    return np.asarray(found, dtype=np.float64)


@dataclass(frozen=True)
class Example:
    """The rules of one example, ready to be judged under weights of the models."""

    order_u: Ints
    order_r: Ints
    rules: tuple[_Rules, ...]
    fixed: float | None  # epsilon that no rule decides

    def epsilon(self, weight_u: Floats, weight_r: Floats) -> Floats:
        """(K,) epsilon under K weights, whole numbers that sum to N, of the unlearned and retrained models (K, N)."""
        if self.fixed is not None:
            return np.full(len(weight_u), self.fixed)
        table = epsilons(len(self.order_u))
        u, r = _below(weight_u[:, self.order_u]), _below(weight_r[:, self.order_r])
        best = [rule.best(u, r, table) for rule in self.rules]
        return np.asarray(np.maximum(np.max(best, axis=0), 0.0), dtype=np.float64)


def example(u: Floats, r: Floats) -> Example:
    """The rules for phi (N,) under the unlearned and (N,) under the retrained models."""
    order_u, order_r = np.argsort(u, kind="stable"), np.argsort(r, kind="stable")
    range_u, range_r = float(np.ptp(u)), float(np.ptp(r))
    narrow, wide = min(range_u, range_r), max(range_u, range_r)
    fixed = None
    if wide == 0.0:
        fixed = 0.0 if u[0] == r[0] else CAP
    elif narrow / wide < NARROW:
        fixed = CAP
    rules = () if fixed is not None else (_interval(u[order_u], r[order_r]), _threshold(u[order_u], r[order_r]))
    return Example(order_u, order_r, rules, fixed)


def _threshold(u: Floats, r: Floats) -> _Rules:
    low, high = min(u[0], r[0]), max(u[-1], r[-1])
    cuts = np.linspace(low, high, int(np.ceil((high - low) * PER_UNIT)))
    whole = np.full(len(cuts), len(u))
    first = bool(np.median(r) <= np.median(u))
    return _distinct(first, np.searchsorted(u, cuts, "left"), whole, np.searchsorted(r, cuts, "left"), whole)


def _interval(u: Floats, r: Floats) -> _Rules:
    first = bool(u[-1] - u[0] < r[-1] - r[0])
    own = u if first else r
    width, count = own[-1] - own[0], int(np.ceil(2 * BUFFER * PER_UNIT))
    right = np.linspace(own[-1] - BUFFER, own[-1] + BUFFER, count)
    seen = np.sort(np.concatenate([u, r]))
    # how many of the left edges lie at or below each value: a cut of the models exists where one lies between two
    upto = np.floor((seen - (right - width - BUFFER)[:, None]) * (count - 1) / (2 * BUFFER)) + 1
    edges = np.clip(np.pad(upto, ((0, 0), (1, 1)), constant_values=(0, count)), 0, count)
    at, below = np.nonzero(np.diff(edges, axis=1) > 0)
    high = [np.searchsorted(x, right, "right")[at] for x in (u, r)]
    low = [np.append(np.searchsorted(x, seen, "left"), len(x))[below] for x in (u, r)]
    return _distinct(first, np.minimum(low[0], high[0]), high[0], np.minimum(low[1], high[1]), high[1])


def _distinct(first: bool, low_u: Ints, high_u: Ints, low_r: Ints, high_r: Ints) -> _Rules:
    """The rules that differ on these models."""
    n = int(max(high_u.max(initial=0), high_r.max(initial=0), low_u.max(initial=0), low_r.max(initial=0))) + 1
    code = np.unique(((low_u * n + high_u) * n + low_r) * n + high_r)
    parts = [code // n**3, code // n**2 % n, code // n % n, code % n]
    return _Rules(first, *parts)


def _below(weight: Floats) -> Floats:
    return np.concatenate([np.zeros((len(weight), 1)), np.cumsum(weight, axis=1)], axis=1)
