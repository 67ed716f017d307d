from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.attribute_kept import AttributesKept
from harness.metrics.metric import CannotMeasure, Evidence, Items


def readings(*classes: int) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[list(classes)] * 0.8 + 0.1


def an_evidence(now: dict[str, np.ndarray], before: dict[str, np.ndarray]) -> Evidence:
    items = Items(np.arange(4), np.zeros(4, dtype=int), np.arange(4), tuple("abcd"))
    return Evidence(items=items, predictions={"avatars": now}, of_source={"avatars": before})


def test_a_photo_is_right_when_every_attribute_is_kept() -> None:
    before = {"hat": readings(0, 1, 2, 0), "glasses": readings(1, 1, 1, 1)}
    now = {"hat": readings(0, 1, 2, 2), "glasses": readings(1, 0, 1, 2)}
    found = AttributesKept("avatars").measure(an_evidence(now, before))
    assert found.items is not None
    assert found.items[2].tolist() == [1.0, 0.0, 1.0, 0.0]
    assert found.value == 0.5
    assert {k: v.value for k, v in found.companions.items()} == {"each": 0.625, "hat": 0.75, "glasses": 0.5}
    assert AttributesKept("avatars", attributes=("hat",)).measure(an_evidence(now, before)).value == 0.75


def test_without_readings_of_the_sources_nothing_can_be_kept() -> None:
    now = {"hat": readings(0, 1, 2, 0)}
    with pytest.raises(CannotMeasure, match="predictions of 'avatars' on sources: not brought"):
        AttributesKept("avatars").measure(Evidence(items=an_evidence(now, now).items, predictions={"avatars": now}))
    with pytest.raises(CannotMeasure, match="no attribute 'beard'"):
        AttributesKept("avatars", attributes=("beard",)).measure(an_evidence(now, now))
