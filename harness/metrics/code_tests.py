"""Computational accuracy and pass@k: generated programs told right by running them on unit tests.

CA = share of programs that pass all tests of their problem; pass@k = mean over problems of 1 − C(n−c,k)/C(n,k), c of n
programs passing. Every program counts, with its outcome: the shares of the outcomes sum to 1. The judge's digest, its
limits and the interpreter are in the id. Precision: exact counts. Source: metrics.md section 13, arXiv 2107.03374.
Traps: T65.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from harness.metrics.inputs import Floats
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
from harness.metrics.texts import judged
from harness.options import option
from harness.stats.units import Estimator, UnitKind, Units

OUTCOMES = ("pass", "wrong", "compile_error", "runtime_error", "timeout", "memory", "no_output")


def pass_at_k(n: int, passing: int, k: int) -> float:
    """Probability that k of n programs, drawn without replacement, hold one of the `passing`. 1 ≤ k ≤ n."""
    return 1.0 - comb(n - passing, k) / comb(n, k)


def outcomes(evidence: Evidence, runner: str) -> Array:
    """(N,) outcomes. Raises CannotMeasure for a word that is none."""
    found = judged(evidence, runner, "outcome")
    if unknown := sorted(set(found.tolist()) - set(OUTCOMES)):
        raise CannotMeasure(ScoreStatus.FAILED, f"judge {runner!r} gave outcomes {', '.join(map(str, unknown))}")
    return found


def share(evidence: Evidence, value: Floats) -> Measurement:
    """The mean of one number an item, with its units and items."""
    items = evidence.items
    units = Units(UnitKind.ITEMS, items.keys, items.clusters, value)
    return Measurement(float(value.mean()), len(value), units, (items.keys, items.clusters, value))


@metric(
    "code.ca.{runner}",
    unit="share of programs",
    direction=Direction.HIGHER,
    estimator=Estimator.PROPORTION,
    ideal=1.0,
    right=1.0,
    source="arXiv 2006.03511",
)
@dataclass(frozen=True)
class ComputationalAccuracy(Metric):
    """Share of generated programs that pass all unit tests; companions: the other outcomes, and the tests passed."""

    runner: str = option(help="the judge that runs the programs")

    def needs(self) -> tuple[Need, ...]:
        return (Need("judged", name=self.runner),)

    def measure(self, evidence: Evidence) -> Measurement:
        found = outcomes(evidence, self.runner)
        tests = judged(evidence, self.runner, "passed") / judged(evidence, self.runner, "tests")
        whole = share(evidence, (found == "pass").astype(np.float64))
        parts = {name: share(evidence, (found == name).astype(np.float64)) for name in OUTCOMES[1:]}
        return Measurement(whole.value, whole.n, whole.units, whole.items, {**parts, "tests": share(evidence, tests)})


@metric(
    "code.pass_at_k.{runner}",
    unit="probability",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    ideal=1.0,
    source="arXiv 2107.03374",
)
@dataclass(frozen=True)
class PassAtK(Metric):
    """Probability that one of k programs of a problem passes, from all that were generated for it; mean of problems."""

    runner: str = option(help="the judge that runs the programs")
    k: int = option(1, unit="programs", at_least=1, help="programs that may be tried", source="arXiv 2107.03374")

    def needs(self) -> tuple[Need, ...]:
        return (Need("judged", name=self.runner),)

    def measure(self, evidence: Evidence) -> Measurement:
        right, clusters = outcomes(evidence, self.runner) == "pass", evidence.items.clusters
        problem, which = np.unique(clusters, return_inverse=True)
        n, c = np.bincount(which), np.bincount(which, weights=right).astype(int)
        if n.min() < self.k:
            raise CannotMeasure(
                ScoreStatus.INSUFFICIENT_N,
                f"pass@{self.k} needs {self.k} programs of every problem; one has {int(n.min())}",
            )
        value = np.array([pass_at_k(int(a), int(b), self.k) for a, b in zip(n, c, strict=True)])
        units = Units(UnitKind.ITEMS, problem, problem, value)
        return Measurement(float(value.mean()), len(value), units, (problem, problem, value))
