"""Perceptual distance within prompts and to a source: squared Euclidean distance of features taken once an image.

`pd.<extractor>` compares features of unit length; `lpips.<net>` stacked activations √(w_lc / H_l W_l) f̂_lc, whose
squared distance is LPIPS v0.1 itself. Only the three published nets are LPIPS; every other space is `pd`. `.pairs` is
the mean over the unordered pairs of a group, then over groups: by Σ_{i<j} |f_i - f_j|² = B Σ |f_i - mean|² it needs no
pair at all, n forward passes instead of n (n - 1) / 2 and no n × n matrix. Pairs are never treated as independent: the
group is the item. Precision: float64 sums, 1e-12 against the pairs; 1e-5 against the lpips package (float32 network).
More distance is not always more diversity: noise and artifacts raise it.
Source: arXiv 1801.03924. Traps: metrics.md section 6, T30 to T32, T69.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.groups import Grouping, groups_of, mean_over_groups, per_group
from harness.metrics.inputs import Floats, Rows, features, long_features, unit_rows
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
from harness.stats.units import Estimator, UnitKind, Units

_ELEMENTS = 1 << 23  # float64 numbers held at a time (64 MB)
LPIPS = "arXiv 1801.03924, lpips 0.1.4, version 0.1"


def lpips_extractor(net: str) -> str:
    """Name of the extractor of a net's stacked activations."""
    return f"lpips-{net}"


def mean_pair_distance(rows: Array) -> float:
    """Mean squared Euclidean distance over the unordered pairs of rows (B, D), B at least 2."""
    total, step = 0.0, max(1, _ELEMENTS // len(rows))
    for start in range(0, rows.shape[1], step):
        part = rows[:, start : start + step].astype(np.float64)
        part -= part.mean(axis=0)
        total += float((part * part).sum())
    return 2.0 * total / (len(rows) - 1)


def squared_distance(a: Rows, b: Rows) -> Floats:
    """(N,) squared Euclidean distance of row i of `a` to row i of `b`."""
    return np.array([float(((x.astype(np.float64) - y) ** 2).sum()) for x, y in zip(a, b, strict=True)])


def pairs(evidence: Evidence, rows: Rows, by: Grouping) -> Measurement:
    """The mean over groups of the mean pair distance of `rows`."""
    groups = groups_of(evidence.items, by, at_least=2)
    return mean_over_groups(groups, per_group(groups, lambda m: mean_pair_distance(rows[m])))


def to_source(evidence: Evidence, generated: Rows, source: Rows) -> Measurement:
    """The mean over items of the distance to their source, with median and 95th percentile beside it."""
    if generated.shape != source.shape:
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH, f"features of items {generated.shape} and of sources {source.shape} differ"
        )
    value, items = squared_distance(generated, source), evidence.items
    return Measurement(
        float(value.mean()),
        len(value),
        Units(UnitKind.ITEMS, items.keys, items.clusters, value),
        (items.keys, items.clusters, value),
        {
            "median": Measurement(float(np.median(value)), len(value), None),
            "p95": Measurement(float(np.quantile(value, 0.95)), len(value), None),
        },
    )


@metric(
    "pd.{extractor}.pairs",
    unit="squared distance",
    direction=Direction.HIGHER,
    estimator=Estimator.U_STATISTIC,
    source="metrics.md section 6",
)
@dataclass(frozen=True)
class FeaturePairs(Metric):
    """Mean over the pairs of a prompt of the squared distance of unit-length features (0 … 4)."""

    extractor: str = option(help="feature extractor")
    grouping: Grouping = option(Grouping.PROMPT, help="pairs within a prompt, or within the method's coupled group")

    def needs(self) -> tuple[Need, ...]:
        return (Need("features", "generated", self.extractor),)

    def measure(self, evidence: Evidence) -> Measurement:
        return pairs(evidence, unit_rows(features(evidence, self.extractor)), self.grouping)


@metric(
    "lpips.{net}.pairs",
    unit="LPIPS",
    direction=Direction.HIGHER,
    estimator=Estimator.U_STATISTIC,
    source=LPIPS,
)
@dataclass(frozen=True)
class LpipsPairs(Metric):
    """Mean LPIPS over the pairs of a prompt."""

    net: str = option(help="alex, vgg or squeeze")
    grouping: Grouping = option(Grouping.PROMPT, help="pairs within a prompt, or within the method's coupled group")

    def needs(self) -> tuple[Need, ...]:
        return (Need("features", "generated", lpips_extractor(self.net)),)

    def measure(self, evidence: Evidence) -> Measurement:
        return pairs(evidence, long_features(evidence, lpips_extractor(self.net)), self.grouping)


@metric(
    "pd.{extractor}.source",
    unit="squared distance",
    direction=Direction.LOWER,
    estimator=Estimator.MEAN,
    ideal=0.0,
    source="metrics.md section 6",
)
@dataclass(frozen=True)
class FeatureSource(Metric):
    """Mean squared distance of unit-length features of an item to those of its source (0 … 4)."""

    extractor: str = option(help="feature extractor")

    def needs(self) -> tuple[Need, ...]:
        return (Need("features", "generated", self.extractor), Need("features", "source", self.extractor))

    def measure(self, evidence: Evidence) -> Measurement:
        own, source = features(evidence, self.extractor), features(evidence, self.extractor, "source")
        return to_source(evidence, unit_rows(own), unit_rows(source))


@metric(
    "lpips.{net}.source",
    unit="LPIPS",
    direction=Direction.LOWER,
    estimator=Estimator.MEAN,
    ideal=0.0,
    source=LPIPS,
)
@dataclass(frozen=True)
class LpipsSource(Metric):
    """Mean LPIPS of an item to its source."""

    net: str = option(help="alex, vgg or squeeze")

    def needs(self) -> tuple[Need, ...]:
        name = lpips_extractor(self.net)
        return (Need("features", "generated", name), Need("features", "source", name))

    def measure(self, evidence: Evidence) -> Measurement:
        name = lpips_extractor(self.net)
        return to_source(evidence, long_features(evidence, name), long_features(evidence, name, "source"))
