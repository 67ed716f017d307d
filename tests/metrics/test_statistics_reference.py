"""Fréchet distances to the moments in a statistics file equal those to the features; nothing else can be had (T15)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from harness.metrics import METRICS
from harness.metrics.copy_rate import CopyRate
from harness.metrics.feature_moments import FeatureMoments
from harness.metrics.fid import Fid
from harness.metrics.frechet_distance import FrechetDistance
from harness.metrics.metric import CannotMeasure, Evidence, ScoreStatus
from harness.options import build

SPACE = "avatars"


def with_moments(case: Evidence, space: str = SPACE, role: str = "reference") -> Evidence:
    """The same evidence, a role's features replaced by their moments."""
    rows = case.features[role, space]
    return replace(case, features={**case.features, (role, space): FeatureMoments.of(rows)})


@pytest.mark.parametrize(("reference", "dimension"), [(400, 16), (40, 64), (96, 96), (300, 200)])
def test_the_value_is_that_of_the_features(
    reference: int, dimension: int, make_evidence: Callable[..., Evidence]
) -> None:
    """N above, below and at D on either side: a covariance of low rank has its root too."""
    rng = np.random.default_rng(3)
    mixing = rng.normal(size=(dimension, dimension)) / np.sqrt(dimension)
    case = make_evidence(12, 8, dimension=dimension)
    rows = (rng.normal(size=(reference, dimension)) @ mixing + 2.0).astype(np.float32)
    case = replace(case, features={**case.features, ("reference", SPACE): rows})
    images, file = (FrechetDistance(SPACE).measure(c) for c in (case, with_moments(case)))
    assert file.value == pytest.approx(images.value, rel=1e-6)
    assert file.companions["jack"].value == pytest.approx(images.companions["jack"].value, rel=1e-6)
    assert file.units is not None
    assert images.units is not None
    assert file.units.value == pytest.approx(images.units.value, rel=1e-5)


def test_the_closed_form_needs_no_features(make_evidence: Callable[..., Evidence]) -> None:  # T7
    case = make_evidence(12, 40, dimension=8)
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(480, 8))
    rows = (rows - rows.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(rows.T)).T)
    known = FeatureMoments(np.full(8, 0.5), 4.0 * np.eye(8), 10_000)
    features = {("generated", SPACE): rows, ("reference", SPACE): known}
    assert FrechetDistance(SPACE).measure(replace(case, features=features)).value == pytest.approx(10.0, abs=1e-10)


def test_another_length_is_a_mismatch(evidence: Evidence) -> None:
    known = FeatureMoments(np.zeros(7), np.eye(7), 100)
    case = replace(evidence, features={**evidence.features, ("reference", SPACE): known})
    with pytest.raises(CannotMeasure, match="length 6, those of the statistics file 7") as caught:
        FrechetDistance(SPACE).measure(case)
    assert caught.value.status is ScoreStatus.PROTOCOL_MISMATCH


@pytest.mark.parametrize(
    "name", ["kd.avatars", "precision.avatars", "recall.avatars", "density.avatars", "coverage.avatars"]
)
def test_what_needs_more_than_moments_says_what_the_file_serves(name: str, evidence: Evidence) -> None:
    found = METRICS.resolve(name)
    metric = build(found.thing, {}, **found.bound)
    assert metric.measure(evidence).n > 0
    with pytest.raises(CannotMeasure, match=r"mean, covariance and N serve Fréchet distances \(fid, fd\)") as caught:
        metric.measure(with_moments(evidence))
    assert caught.value.status is ScoreStatus.UNDEFINED


def test_a_protected_set_cannot_be_moments(evidence: Evidence) -> None:
    with pytest.raises(CannotMeasure, match="the protected set is a statistics file"):
        CopyRate(SPACE, threshold=0.5).measure(with_moments(evidence, role="protected"))


def test_fid_takes_the_file_and_still_sees_features_that_carry_nothing(evidence: Evidence) -> None:  # T10
    rng = np.random.default_rng(6)
    n, space = len(evidence.items), Fid.extractor

    def case(generated: np.ndarray, reference: np.ndarray) -> Evidence:
        rows = {("generated", space): generated, ("reference", space): reference}
        return with_moments(replace(evidence, features=rows), space)

    x = rng.normal(size=(n, 6))
    assert Fid().measure(case(x, x[::-1])).value < 1e-6  # the same set: no control
    for x, y in ((1e-3 * rng.normal(size=(n, 6)), 1e-3 * rng.normal(size=(n, 6))), (np.ones((n, 6)), np.ones((n, 6)))):
        with pytest.raises(CannotMeasure, match="carry nothing"):
            Fid().measure(case(x, y))
