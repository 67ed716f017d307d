"""nips23.F, the forgetting score of the NeurIPS 2023 unlearning challenge, and its share of what a perfect one gets.

Many models unlearned, many retrained; each forget example has an epsilon (distinguishing.py), in buckets of one half:
bucket i gets 2^-i points while .5 i + .5 ≤ ceil(ln(N - 1)), else none. F is the mean over the forget set times RA / RA
of Retrain times TA / TA of Retrain. Models that are retrained themselves score .17 to .20 only, and that depends on N:
`oracle`, the same score of a second set of retrained models, always stands beside it, and `nips23.F.ratio` is
F / oracle. Interval: keyed bootstrap of examples and of models, the rules of each example held fixed. Source:
unlearning.md 6.4; arXiv 2406.09073.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.keys import generator
from harness.metrics.cluster_bootstrap import replicate_units
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
from harness.metrics.unlearning.accuracy import correct
from harness.metrics.unlearning.distinguishing import example
from harness.metrics.unlearning.memory import remembered
from harness.metrics.unlearning.outcomes import Floats, View, some, view
from harness.metrics.unlearning.probabilities import scaled_confidence
from harness.metrics.unlearning.resampling import weights
from harness.options import option
from harness.stats.units import Estimator

SOURCE = "unlearning.md 6.4; arXiv 2406.09073; google-deepmind/unlearning_evaluation@ffae0ff"
BUCKET = 0.5
REPLICATES = 200
FEWEST = 32


def points(epsilon: Floats, models: int) -> Floats:
    """Points of epsilons (…) with N models: 2^-i in bucket i, none beyond what N models can show."""
    bucket = np.floor(epsilon / BUCKET)
    counted = BUCKET * bucket + BUCKET <= np.ceil(np.log(models - 1))
    return np.where(counted, 2.0**-bucket, 0.0)


def example_points(unlearned: Floats, retrained: Floats, weight_u: Floats, weight_r: Floats) -> Floats:
    """(K, F) points of each example under K weights (K, N) of the models. unlearned, retrained: phi (N, F)."""
    models, count = unlearned.shape
    found = [example(unlearned[:, i], retrained[:, i]).epsilon(weight_u, weight_r) for i in range(count)]
    return points(np.array(found).T, models)


def forgetting_score(unlearned: Floats, retrained: Floats) -> float:
    """F without its utility factor, in [0, 1]. unlearned, retrained: phi (N, F) under N models each."""
    ones = np.ones((1, len(unlearned)))
    return float(example_points(unlearned, retrained, ones, ones).mean())


@dataclass(frozen=True)
class _Scores:
    """forgetting and oracle: [0] the values, [1:] the replicates (R + 1,); points (F,); utility, the factor."""

    forgetting: Floats
    oracle: Floats
    points: Floats
    utility: float


def _scores(seen: View, models: int) -> _Scores:
    pool, rows = seen.outcomes.pool, some(seen.forget, "forget examples")
    had = 0 if pool is None else min(len(pool.unlearned), len(pool.retrained), len(pool.oracle))
    if pool is None or had < models:
        text = f"{models} unlearned, {models} retrained and {models} further retrained models are needed; found {had}"
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, text)
    label = seen.outcomes.label[rows]
    phi = {k: _phi(getattr(pool, k)[:models], label, k) for k in ("unlearned", "retrained", "oracle")}
    drawn = {name: _model_weights(seen.seed, name, models) for name in phi}

    def table(name: str) -> Floats:
        enters = (phi[name], phi["retrained"])
        key = f"nips23 {name} {seen.seed}"  # whose models are drawn is part of it
        return remembered(key, enters, lambda: example_points(*enters, drawn[name], drawn["retrained"]))

    of_examples = [np.ones(len(rows)), *(w[rows] for w in weights(seen, ("forget",), REPLICATES))]
    share = np.array([w / w.sum() for w in of_examples])
    mine, ideal = table("unlearned"), table("oracle")
    return _Scores((mine * share).sum(axis=1), (ideal * share).sum(axis=1), mine[0], _utility(seen))


def _phi(logits: Array, label: Array, name: str) -> Floats:
    if not np.isfinite(logits).all():
        raise CannotMeasure(ScoreStatus.FAILED, f"logits of the {name} models hold NaN or infinity")
    if logits.ndim != 3 or logits.shape[1] != len(label):
        text = f"logits of the {name} models are {logits.shape}, expected (M, {len(label)}, C)"
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, text)
    return scaled_confidence(logits, label)


def _model_weights(seed: int, name: str, models: int) -> Floats:
    """(R + 1, N): once all models, then resamples of them."""
    random = generator(seed, "stats", "unlearning", "models", name)
    drawn = [np.bincount(random.integers(models, size=models), minlength=models) for _ in range(REPLICATES)]
    return np.array([np.ones(models), *drawn], dtype=np.float64)


def _utility(seen: View) -> float:
    """(RA / RA of Retrain) (TA / TA of Retrain)."""
    own, factor = seen.outcomes, 1.0
    for rows, name in ((seen.retain, "retain examples"), (seen.test, "test examples outside what is forgotten")):
        mine, theirs = (correct(x[some(rows, name)], own.label[rows]).mean() for x in (own.logits, seen.retrain))
        if theirs == 0.0:
            raise CannotMeasure(ScoreStatus.UNDEFINED, f"Retrain is right on none of the {name}")
        factor *= float(mine / theirs)
    return factor


class _Score(Metric):
    """What both share."""

    def needs(self) -> tuple[Need, ...]:
        return (Need("outcomes"),)


def _part(series: Floats, n: int) -> Measurement:
    return Measurement(float(series[0]), n, replicate_units(float(series[0]), series[1:]))


@metric("nips23.F", unit="score", direction=Direction.HIGHER, estimator=Estimator.RATIO, source=SOURCE)
@dataclass(frozen=True)
class ForgettingScore(_Score):
    """Forgetting score times utility. Companions: `forgetting` alone, `utility`, `oracle`, which is no 1."""

    models: int = option(64, unit="models a family", at_least=FEWEST, help="N", source="512 in the challenge")

    def measure(self, evidence: Evidence) -> Measurement:
        seen = view(evidence)
        found, n = _scores(seen, self.models), len(seen.forget)
        companions: Mapping[str, Measurement] = {
            "forgetting": _part(found.forgetting, n),
            "oracle": _part(found.oracle, n),
            "utility": Measurement(found.utility, n, None),
        }
        whole = _part(found.forgetting * found.utility, n)
        items = (seen.key[seen.forget], seen.cluster[seen.forget], found.points)
        return Measurement(whole.value, n, whole.units, items, companions)


@metric(
    "nips23.F.ratio",
    unit="share of the oracle's",
    direction=Direction.HIGHER,
    estimator=Estimator.RATIO,
    ideal=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class ForgettingRatio(_Score):
    """Forgetting score times utility, as a share of what retrained models score at the same N."""

    models: int = option(64, unit="models a family", at_least=FEWEST, help="N", source="512 in the challenge")

    def measure(self, evidence: Evidence) -> Measurement:
        seen = view(evidence)
        found = _scores(seen, self.models)
        if not (found.oracle > 0).all():
            raise CannotMeasure(ScoreStatus.UNDEFINED, "retrained models score 0 themselves: nothing to be a share of")
        return _part(found.forgetting * found.utility / found.oracle, len(seen.forget))
