"""Copy rate: exact copies, thresholds, the control of held-out images, blocks and order (T64 in cosine form)."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.copy_rate import CopyRate, similarity
from harness.metrics.inputs import unit_rows
from harness.metrics.metric import Evidence, Items
from harness.metrics.nearest_neighbour import Normalize
from harness.metrics.shield import ShieldRate

NAME = "sscd-disc-mixup"


def evidence(generated: np.ndarray, protected: np.ndarray, heldout: np.ndarray | None = None) -> Evidence:
    n = len(generated)
    items = Items(np.arange(n), np.zeros(n, dtype=int), np.arange(n), tuple(f"p{i}" for i in range(n)))
    features = {("generated", NAME): generated, ("protected", NAME): protected}
    if heldout is not None:
        features["heldout", NAME] = heldout
    return Evidence(items, features=features)


def test_an_item_of_the_set_is_a_copy_whatever_its_length() -> None:
    rng = np.random.default_rng(0)
    protected = rng.normal(size=(50, 32))
    generated = np.concatenate([3.0 * protected[:3], rng.normal(size=(7, 32))])
    found = CopyRate(NAME).measure(evidence(generated, protected))
    assert found.value == pytest.approx(0.3)
    assert found.items is not None
    np.testing.assert_allclose(found.items[2][:3], 1.0, atol=1e-12)


def test_monotone_in_the_threshold_and_the_bounds() -> None:
    rng = np.random.default_rng(1)
    case = evidence(rng.normal(size=(60, 8)), rng.normal(size=(40, 8)))
    rates = [CopyRate(NAME, t).measure(case).value for t in np.linspace(-1, 1, 21)]
    assert rates[0] == 1.0
    assert rates[-1] == 0.0
    assert rates == sorted(rates, reverse=True)


def test_similarity_is_the_largest_cosine() -> None:
    rng = np.random.default_rng(2)
    a, b = unit_rows(rng.normal(size=(30, 16))), unit_rows(rng.normal(size=(25, 16)))
    np.testing.assert_allclose(similarity(a, b), (a @ b.T).max(axis=1), atol=1e-12)


def test_the_control_is_the_rate_of_held_out_images() -> None:
    rng = np.random.default_rng(3)
    protected, heldout = rng.normal(size=(20, 4)), rng.normal(size=(40, 4))
    found = CopyRate(NAME, 0.5).measure(evidence(rng.normal(size=(9, 4)), protected, heldout))
    by_hand = (unit_rows(heldout) @ unit_rows(protected).T).max(axis=1) >= 0.5
    assert found.companions["control"].value == pytest.approx(by_hand.mean())
    assert "control" not in CopyRate(NAME, 0.5).measure(evidence(protected, protected)).companions


def test_agrees_with_the_shield_of_the_same_ball() -> None:
    """cos > t is |a - b| < √(2 - 2t) on unit rows: 0.5 is the ball of radius 1."""
    rng = np.random.default_rng(4)
    case = evidence(rng.normal(size=(80, 12)), rng.normal(size=(30, 12)))
    shield = ShieldRate(NAME, radius=1.0, normalize=Normalize.UNIT)
    rate = CopyRate(NAME, 0.5).measure(case).value
    assert 0 < rate < 1
    assert rate == shield.measure(case).value
