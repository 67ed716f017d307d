"""Outcomes: the logits of an unlearned classifier, of its original and of exact retraining, on the same examples.

The task makes `Outcomes`; metrics read the `View` of them: checked, in the order of the items' keys, cut into the
forget set D_f, the retain set D_r and the test set D_t. Where a class, a sub-class or a person is forgotten, its test
examples are a set of their own and not part of D_t. Without a Retrain there is no view, so no metric (unlearning.md
6.5). An example is a prompt of its own unless the task groups near copies: prompts are the clusters of all intervals.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.metric import Array, CannotMeasure, Evidence, ScoreStatus

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FORGET, RETAIN, TEST = "forget", "retain", "test"
ROLES = (FORGET, RETAIN, TEST)


@dataclass(frozen=True)
class Pool:
    """Many models on the forget set, for `nips23.F`: logits (M, F, C) float32, F the forget examples in item order.

    unlearned  M originals, each unlearned;  retrained, oracle  two disjoint sets of M models retrained without D_f
    """

    unlearned: Array
    retrained: Array
    oracle: Array


@dataclass(frozen=True)
class Outcomes:
    """One unlearned model on N examples of C classes, in the order of the items; logits are (N, C) float32.

    role             (N,) str: forget | retain | test
    label            (N,) int64, the true class
    logits           of the unlearned model
    logits_original  of the model that it was made from
    logits_retrain   of the model retrained without the forget set, paired by seed; None: no metric is given
    retrain_others   of further such models (other seeds), neither of them `logits_retrain`
    logits_random    of a randomly initialised model of the same architecture (ZRF)
    forgotten_class  the class that the forget set is, or None
    concept          (N,) bool, examples of the sub-class or person that is forgotten, in every role; None without one
    seconds_method   wall seconds of the method;  seconds_retrain: of retraining
    seed             of the cell: the unit of what has one value a model
    pool             many models, or None
    """

    role: Array
    label: Array
    logits: Array
    logits_original: Array
    logits_retrain: Array | None
    retrain_others: tuple[Array, ...] = ()
    logits_random: Array | None = None
    forgotten_class: int | None = None
    concept: Array | None = None
    seconds_method: float | None = None
    seconds_retrain: float | None = None
    seed: int = 0
    pool: Pool | None = None

    def __len__(self) -> int:
        return len(self.role)


@dataclass(frozen=True)
class View:
    """Checked outcomes in the order of prompt and sample, with the key and cluster (N,) str of every example."""

    outcomes: Outcomes
    key: NDArray[np.str_]
    cluster: NDArray[np.str_]
    seed: int

    @cached_property
    def concept(self) -> NDArray[np.bool_]:
        """(N,) whether an example is of the forgotten class, sub-class or person; all False in random forgetting."""
        own = self.outcomes
        if own.forgotten_class is not None:
            return np.asarray(own.label == own.forgotten_class)
        return np.zeros(len(own), dtype=bool) if own.concept is None else np.asarray(own.concept, dtype=bool)

    @cached_property
    def forget(self) -> Ints:
        return np.flatnonzero(self.outcomes.role == FORGET)

    @cached_property
    def retain(self) -> Ints:
        return np.flatnonzero(self.outcomes.role == RETAIN)

    @cached_property
    def test(self) -> Ints:
        """Test examples without those of the forgotten class, sub-class or person."""
        return np.flatnonzero((self.outcomes.role == TEST) & ~self.concept)

    @cached_property
    def forgotten_test(self) -> Ints:
        """Test examples of the forgotten class, sub-class or person; empty in random forgetting."""
        return np.flatnonzero((self.outcomes.role == TEST) & self.concept)

    @cached_property
    def unseen(self) -> Ints:
        """Test examples like the forgotten ones: D_t in random forgetting, else those of the forgotten class.

        A model that never saw the class tells it from others without any membership; among its own kind it cannot.
        """
        return self.forgotten_test if self.concept[self.forget].any() else self.test

    @property
    def retrain(self) -> Array:
        """(N, C) logits of Retrain."""
        assert self.outcomes.logits_retrain is not None
        return self.outcomes.logits_retrain


def view(evidence: Evidence) -> View:
    """The outcomes, checked. Raises CannotMeasure: absent, empty, without Retrain, of other shapes, not finite."""
    own, items = evidence.outcomes, evidence.items
    if own is None:
        raise CannotMeasure(ScoreStatus.FAILED, "outcomes: not brought by the scorer")
    if len(items) == 0 or len(own) == 0:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "no examples")
    if own.logits_retrain is None:
        text = "no Retrain: nothing about unlearning is said without a model retrained from scratch on the retain set"
        raise CannotMeasure(ScoreStatus.INVALID_CONTROL, text)
    _check(own, len(items))
    order = np.lexsort((items.sample, items.prompt))
    return View(taken(own, order), items.keys[order], items.clusters[order], evidence.seed)


def some(rows: Ints, what: str) -> Ints:
    """The rows themselves. Raises CannotMeasure where there are none."""
    if len(rows) == 0:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, f"no {what}")
    return rows


def _check(own: Outcomes, n: int) -> None:
    if strange := sorted(set(np.unique(own.role).tolist()) - set(ROLES)):
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"unknown role {strange[0]!r}: {', '.join(ROLES)} are known")
    for name, array in _row_arrays(own):
        if len(array) != n:
            raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"{name}: {len(array)} rows for {n} examples")
        if "logits" not in name and "retrain" not in name:
            continue
        if array.ndim != 2 or array.shape != own.logits.shape or array.shape[1] < 2:
            text = f"{name}: {array.shape}, the unlearned model's are {own.logits.shape}; at least 2 classes are needed"
            raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, text)
        if bad := int((~np.isfinite(array)).any(axis=1).sum()):
            raise CannotMeasure(ScoreStatus.FAILED, f"{name}: {bad} of {n} rows hold NaN or infinity")
    if own.label.min() < 0 or own.label.max() >= own.logits.shape[1]:
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"labels outside the {own.logits.shape[1]} classes")


def _row_arrays(own: Outcomes) -> list[tuple[str, Array]]:
    found = [(f.name, getattr(own, f.name)) for f in fields(own)]
    rows = [(name, value) for name, value in found if isinstance(value, np.ndarray)]
    return rows + [(f"retrain_others[{i}]", other) for i, other in enumerate(own.retrain_others)]


def taken(own: Outcomes, order: Ints) -> Outcomes:
    """The outcomes of the examples numbered in `order`, which may repeat; the pool goes with its forget examples."""
    rows: dict[str, Any] = {name: value[order] for name, value in _row_arrays(own) if "[" not in name}
    pool = own.pool
    if pool is not None:
        place = np.cumsum(own.role == FORGET) - 1
        kept = place[order[own.role[order] == FORGET]]
        pool = Pool(pool.unlearned[:, kept], pool.retrained[:, kept], pool.oracle[:, kept])
    return replace(own, **rows, retrain_others=tuple(o[order] for o in own.retrain_others), pool=pool)
