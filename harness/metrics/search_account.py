"""What a search's tune score is worth: the gap between tune and report items, with the bound that was promised.

`search.gap` = mean loss of the report items - mean loss of the tune items, both by the tune judge and at the returned
point. The untouched model's own gap is the difference between the splits; a search's gap beyond it, which the paired
difference from the untouched row shows, is over-fitting. Source: generation.md section 1; rules.md 8 and 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.metric import (
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
from harness.stats.overfitting import bound
from harness.stats.units import Estimator, UnitKind, Units

Floats = NDArray[np.float64]


@metric(
    "search.gap",
    unit="loss",
    direction=Direction.TARGET,
    estimator=Estimator.MEAN,
    ideal=0.0,
    source="arXiv 2410.11330; bounds: generation.md section 1",
)
@dataclass(frozen=True)
class SearchGap(Metric):
    """Loss on the report items minus loss on the tune items, by the judge that the search was tuned on.

    Companions: tune and report losses, the loss of the identity on the tune items, the bound at confidence 1 - delta,
    evaluations, and how many points tie with the returned one on the tune items.
    """

    delta: float = option(0.05, above=0, below=1, help="the bound holds with probability 1 - delta", in_id=True)

    def needs(self) -> tuple[Need, ...]:
        return (Need("search"),)

    def measure(self, evidence: Evidence) -> Measurement:
        search = evidence.search
        if "losses" not in search or "tune_loss" not in search:
            raise CannotMeasure(ScoreStatus.UNDEFINED, "no offline search: nothing was chosen on tune items")
        losses, chosen = search["losses"], int(search["chosen"])
        tune, report = losses[chosen].astype(np.float64), search["tune_loss"].astype(np.float64)
        if not len(report):
            raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "no report items: nothing to compare the tune items with")
        value = float(report.mean() - tune.mean())
        means = losses.mean(axis=1)
        exact = {
            "identity": float(means[0]),
            "bound": bound_of(search, self.delta),
            "evaluations": float(len(losses)),
            "ties": float((means == means[chosen]).sum() - 1),
        }
        keys, clusters = evidence.items.keys, evidence.items.clusters
        return Measurement(
            value,
            len(report),
            gap_units(tune, report, keys, clusters),
            companions={
                "tune": Measurement(float(tune.mean()), len(tune), _means(tune)),
                "report": Measurement(float(report.mean()), len(report), Units(UnitKind.ITEMS, keys, clusters, report)),
                **{name: Measurement(number, len(tune), None) for name, number in exact.items()},
            },
        )


def bound_of(search: Mapping[str, Any], delta: float) -> float:
    """The bound on the gap for what the search did, 1 (nothing is promised) where it used the values themselves."""
    nats = float(search["nats"])
    return 1.0 if np.isnan(nats) else bound(nats, search["losses"].shape[1], delta)


def _means(tune: Floats) -> Units:
    keys = np.array([f"tune/{i:04d}" for i in range(len(tune))])
    return Units(UnitKind.ITEMS, keys, keys, tune)


def gap_units(tune: Floats, report: Floats, keys: NDArray[np.str_], clusters: NDArray[np.str_]) -> Units:
    """Items whose mean is mean(report) - mean(tune) and whose spread is that of the difference of two samples.

    gap + c_r (r - mean r) for report items, gap - c_t (t - mean t) for tune items, c = sqrt(N (N - 1) / (n (n - 1)))
    with N = n_r + n_t: the variance of the mean of all is s_r² / n_r + s_t² / n_t exactly, with n - 1 in each.
    """
    total, gap = len(tune) + len(report), report.mean() - tune.mean()

    def spread(values: Floats) -> Floats:
        degrees = len(values) * max(1, len(values) - 1)
        scaled: Floats = np.sqrt(total * (total - 1) / degrees) * (values - values.mean())
        return scaled

    ours, theirs = gap + spread(report), gap - spread(tune)
    names = np.array([f"tune/{i:04d}" for i in range(len(tune))])
    return Units(
        UnitKind.ITEMS,
        np.concatenate([keys, names]),
        np.concatenate([clusters, names]),
        np.concatenate([ours, theirs]),
    )
