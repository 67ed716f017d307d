from __future__ import annotations

import numpy as np
import pytest
from toy_faces import a_cast, a_view, evidence_of, photos_of, random_rows, unit

from harness.keys import generator
from harness.metrics.faces.linear_head import LinearHead, head_scores, ridge_head


def test_the_head_is_the_minimum_of_its_loss() -> None:
    random = generator(0, "world", "ridge")
    x, label = random.normal(size=(20, 4)), random.integers(0, 3, size=20)
    weights = ridge_head(x, label, 3, 0.05)

    def loss(w: np.ndarray) -> float:
        told = np.append(x, np.ones((20, 1)), axis=1) @ w
        return float(((told - np.eye(3)[label]) ** 2).sum() + 0.05 * 20 * (w**2).sum())

    best = loss(weights)
    assert all(loss(weights + 1e-3 * random.normal(size=weights.shape)) > best for _ in range(20))
    assert head_scores(weights, x).shape == (20, 3)


def test_a_cloak_that_hides_in_a_few_directions_fools_the_nearest_photo_and_not_who_learns() -> None:
    # People differ in 56 directions, photos in 8; the cloak makes the 8 four times as large in what is collected.
    cast = a_cast(20, probes=2, gallery=8)
    own = np.concatenate([photos_of(cast, 0.0, 56), np.zeros((200, 8))], axis=1)
    varied = np.concatenate([np.zeros((200, 56)), random_rows(200, 8, "varied")], axis=1)
    evidence = evidence_of(cast, a_view(cast, unit(own + 4 * varied), unit(own + varied)))
    found = LinearHead("toy").measure(evidence)
    assert found.companions["nearest"].value > 0.5
    assert found.companions["clean"].value == 0.0
    assert found.value < 0.1


def test_swapped_people_are_lost_to_both_attackers() -> None:
    cast = a_cast(20, probes=2, gallery=2)
    clean = photos_of(cast, 0.3)
    found = LinearHead("toy").measure(evidence_of(cast, a_view(cast, np.roll(clean, 4, axis=0), clean)))
    assert found.value == 1.0
    assert found.companions["nearest"].value == 1.0


def test_lost_faces_teach_nothing_and_are_named_by_nobody() -> None:
    cast = a_cast(20, probes=1, gallery=2)
    clean = photos_of(cast, 0.3)
    seen = np.ones(60, dtype=bool)
    seen[[1, 2]] = False  # both gallery photos of the first person
    found = LinearHead("toy").measure(evidence_of(cast, a_view(cast, clean, clean, found=seen)))
    assert found.value == pytest.approx(0.05)
