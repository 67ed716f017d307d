"""Attribute representation: shares of the predicted classes against a target, over the prompts that leave them open.

With p̂ the shares among the images of one prompt and q its target: `attr.tv` = ½ Σ |p̂ - q|, `attr.min_class` = the
smallest p̂ of a wanted class, empty classes included; both averaged over prompts. The corrected forms undo the
classifier's confusion matrix and always carry the uncorrected value and the condition number of that inversion.
Total variation is biased up and the smallest share down (K = 3, n = 100, p = q uniform: .0564 and .285), so every value
carries `null`, its expectation under p = q at the same n, and `null95`, the 95 % quantile on the bad side.
Interval: bootstrap of prompts and of images within them, jointly with redraws of the confusion matrix, the same draws
for every method. Source: metrics.md section 8. Precision: 1e-12; null values ±.5 % (4000 draws). Traps: T63.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from harness.keys import generator
from harness.metrics.cluster_bootstrap import REPLICATES, Clusters, clusters_of, replicate_units, resampled
from harness.metrics.confusion import condition, confusion_of, corrected, redrawn
from harness.metrics.inputs import Floats, Ints, predictions
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
from harness.options import option
from harness.stats.units import Estimator

NULL_DRAWS = 4000
_BLOCK = 200  # null draws held at a time
OWN = "metrics.md section 8"


def total_variation(shares: Array, target: Array) -> Floats:
    """½ Σ |p - q| over the last axis."""
    return np.asarray(np.abs(np.asarray(shares) - target).sum(axis=-1) / 2)


def smallest_share(shares: Array, target: Array) -> Floats:
    """The smallest share of a class that the target wants at all, over the last axis."""
    return np.asarray(np.where(np.asarray(target) > 0, shares, np.inf).min(axis=-1))


@dataclass(frozen=True)
class Open:
    """What the statistic is computed from: the prompts (P) that leave the attribute open, and their images.

    label (N,) predicted class; clusters the images by prompt; target (P, K); matrix, counts of the correction or None
    """

    label: Ints
    clusters: Clusters
    target: Floats
    confusion: tuple[Floats, Ints] | None = field(default=None)

    def counts(self, drawn: Ints) -> Ints:
        """(P, K) images of each class in rows of item indices, -1 where there is none."""
        classes = self.target.shape[1]
        flat = np.where(drawn >= 0, self.label[drawn], classes) + np.arange(len(drawn))[:, None] * (classes + 1)
        table = np.bincount(flat.ravel(), minlength=len(drawn) * (classes + 1)).reshape(len(drawn), classes + 1)
        return np.asarray(table[:, :classes], dtype=np.int64)


def open_prompts(evidence: Evidence, classifier: str, attribute: str) -> Open:
    """Images and targets of the open prompts. Raises CannotMeasure: no such prompt, no target, other classes."""
    label = predictions(evidence, classifier, attribute)
    stated = evidence.expected.get(attribute, np.full(len(label), -1))
    keep = np.flatnonzero(stated == -1)
    if len(keep) == 0:
        raise CannotMeasure(
            ScoreStatus.UNDEFINED, f"every prompt states {attribute!r}: its shares are the prompts' own"
        )
    if attribute not in evidence.targets:
        raise CannotMeasure(ScoreStatus.FAILED, f"no target shares of {attribute!r} were brought by the scorer")
    clusters = clusters_of(evidence.items, keep)
    table = np.asarray(evidence.targets[attribute], dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != label.shape[1] or len(table) <= int(clusters.prompt.max()):
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH,
            f"targets of {attribute!r} are {table.shape} for {label.shape[1]} classes and {len(evidence.items.prompts)}"
            " prompts",
        )
    target = table[clusters.prompt]
    if not (target >= 0).all() or not np.allclose(target.sum(axis=1), 1.0, atol=1e-6):
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"target shares of {attribute!r} do not sum to 1 everywhere")
    return Open(np.asarray(label.argmax(axis=1), dtype=np.int64), clusters, target)


@dataclass(frozen=True)
class Shares(Metric):
    """Base of the four; subclasses say which statistic, and whether it is corrected."""

    attribute: str = option(help="attribute whose classes are counted")
    classifier: str = option("avatars", help="attribute classifier")

    def statistic(self, shares: Array, target: Array) -> Floats:
        """The value of each prompt: shares and target (..., K)."""
        raise NotImplementedError

    def needs(self) -> tuple[Need, ...]:
        return tuple(Need(kind, "generated", self.classifier) for kind in ("predictions", "expected", "targets"))

    def measure(self, evidence: Evidence) -> Measurement:
        return self.measured(open_prompts(evidence, self.classifier, self.attribute), evidence.seed)

    def measured(self, data: Open, seed: int) -> Measurement:
        """The measurement of the open prompts, corrected where `data` has a confusion matrix."""
        each = self._values(data.counts(data.clusters.table), data.target, data.confusion and data.confusion[0])
        value = float(each.mean())
        replicates = np.array([v.mean() for v in self._replicates(data, seed)])
        prompt = np.array([f"{p:04d}" for p in data.clusters.prompt])
        null = self._null(data, seed)
        worse = 0.05 if self.direction is Direction.HIGHER else 0.95
        images = int(data.clusters.size.sum())
        companions = {
            "null": Measurement(float(null.mean()), images, None),
            "null95": Measurement(float(np.quantile(null, worse)), images, None),
        }
        return Measurement(value, images, replicate_units(value, replicates), (prompt, prompt, each), companions)

    def _values(self, counts: Array, target: Array, matrix: Array | None) -> Floats:
        shares = counts / counts.sum(axis=-1, keepdims=True)
        return self.statistic(shares if matrix is None else corrected(shares, matrix), target)

    def _replicates(self, data: Open, seed: int) -> Iterator[Floats]:
        # The keys name the metric and the attribute, never the method: methods are compared replicate by replicate.
        matrices = self._redraws(data, seed, "interval", REPLICATES)
        for number, (picked, drawn) in enumerate(resampled(data.clusters, seed, "attr", self.attribute)):
            matrix = None if matrices is None else matrices[number]
            yield self._values(data.counts(drawn), data.target[picked], matrix)

    def _redraws(self, data: Open, seed: int, use: str, size: int) -> Floats | None:
        if data.confusion is None:
            return None
        random = generator(seed, "stats", "attr", "confusion", use, self.attribute, self.classifier)
        return redrawn(*data.confusion, random, size)

    def _null(self, data: Open, seed: int) -> Floats:
        """(NULL_DRAWS,) values of samples drawn from the target itself, seen by the same classifier."""
        random = generator(seed, "stats", "attr", "null", self.attribute)
        shown = data.target if data.confusion is None else data.target @ data.confusion[0]
        shown = shown / shown.sum(axis=1, keepdims=True)
        matrices = self._redraws(data, seed, "null", NULL_DRAWS)
        result = []
        for start in range(0, NULL_DRAWS, _BLOCK):
            counts = random.multinomial(data.clusters.size, shown, size=(_BLOCK, len(shown)))
            matrix = None if matrices is None else matrices[start : start + _BLOCK, None]
            result.append(self._values(counts, data.target, matrix).mean(axis=1))
        return np.concatenate(result)


@dataclass(frozen=True)
class CorrectedShares(Shares):
    """Base of the corrected forms: the confusion matrix undone, the uncorrected value beside."""

    def needs(self) -> tuple[Need, ...]:
        return (*super().needs(), Need("confusion", "generated", self.classifier))

    def measure(self, evidence: Evidence) -> Measurement:
        data = open_prompts(evidence, self.classifier, self.attribute)
        plain = self.measured(data, evidence.seed)
        confusion = confusion_of(evidence, self.classifier, self.attribute, data.target.shape[1])
        whole = self.measured(Open(data.label, data.clusters, data.target, confusion), evidence.seed)
        beside = {
            "uncorrected": Measurement(plain.value, plain.n, plain.units),
            "condition": Measurement(condition(confusion[0]), int(confusion[1].sum()), None),
        }
        return Measurement(whole.value, whole.n, whole.units, whole.items, {**whole.companions, **beside})


@metric(
    "attr.tv.{attribute}",
    unit="total variation",
    direction=Direction.LOWER,
    estimator=Estimator.SHARES,
    ideal=0.0,
    source=OWN,
)
@dataclass(frozen=True)
class TotalVariation(Shares):
    """Total variation between predicted and wanted shares, mean over open prompts."""

    def statistic(self, shares: Array, target: Array) -> Floats:
        return total_variation(shares, target)


@metric(
    "attr.tv_corrected.{attribute}",
    unit="total variation",
    direction=Direction.LOWER,
    estimator=Estimator.SHARES,
    ideal=0.0,
    source=OWN,
)
@dataclass(frozen=True)
class TotalVariationCorrected(CorrectedShares):
    """Total variation between corrected and wanted shares, mean over open prompts."""

    def statistic(self, shares: Array, target: Array) -> Floats:
        return total_variation(shares, target)


@metric(
    "attr.min_class.{attribute}",
    unit="share",
    direction=Direction.HIGHER,
    estimator=Estimator.SHARES,
    source=OWN,
)
@dataclass(frozen=True)
class MinClass(Shares):
    """Share of the least represented wanted class, mean over open prompts; at best 1/K."""

    def statistic(self, shares: Array, target: Array) -> Floats:
        return smallest_share(shares, target)


@metric(
    "attr.min_class_corrected.{attribute}",
    unit="share",
    direction=Direction.HIGHER,
    estimator=Estimator.SHARES,
    source=OWN,
)
@dataclass(frozen=True)
class MinClassCorrected(CorrectedShares):
    """Corrected share of the least represented wanted class, mean over open prompts; at best 1/K."""

    def statistic(self, shares: Array, target: Array) -> Floats:
        return smallest_share(shares, target)
