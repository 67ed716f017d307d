from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.metrics.attribute_match import AttributeMatch, match
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus

MakeItems = Callable[..., Items]


def seen(make_items: MakeItems, found: dict[str, list[int]], stated: dict[str, list[int]]) -> Evidence:
    return Evidence(
        make_items(len(next(iter(found.values()))), 1, 1),
        predictions={"avatars": {a: np.eye(3, dtype=np.float32)[v] for a, v in found.items()}},
        expected={a: np.array(v) for a, v in stated.items()},
    )


def test_an_image_scores_the_share_of_stated_attributes_found(make_items: MakeItems) -> None:
    evidence = seen(make_items, {"hat": [0, 1, 2], "skin": [0, 0, 0]}, {"hat": [0, 1, 1], "skin": [0, 2, -1]})
    measurement = AttributeMatch("avatars").measure(evidence)
    assert measurement.items is not None
    assert measurement.items[2].tolist() == [1, 0.5, 0]
    assert measurement.value == 0.5
    assert measurement.companions["worst"].value == 0.5


def test_prompts_that_state_nothing_are_left_out(make_items: MakeItems) -> None:
    evidence = seen(make_items, {"hat": [0, 1, 2]}, {"hat": [0, -1, -1]})
    measurement = AttributeMatch("avatars").measure(evidence)
    assert measurement.value == 1
    assert measurement.n == 1
    assert measurement.units is not None
    assert measurement.units.key.tolist() == ["0000/0000"]


def test_an_attribute_that_no_prompt_states_is_not_asked_of_the_classifier(make_items: MakeItems) -> None:
    evidence = seen(make_items, {"hat": [0]}, {"hat": [0], "pose": [-1]})
    assert AttributeMatch("avatars").measure(evidence).value == 1


def test_only_the_named_attributes_count(make_items: MakeItems) -> None:
    evidence = seen(make_items, {"hat": [0, 0], "skin": [0, 0]}, {"hat": [0, 1], "skin": [1, 1]})
    assert AttributeMatch("avatars", ("hat",)).measure(evidence).value == 0.5
    assert AttributeMatch("avatars", ("skin",)).measure(evidence).value == 0
    assert str(AttributeMatch("avatars", ("hat",)).identify()) == "attr.match.avatars[attributes=(hat),v=1]"


def test_nothing_stated_is_undefined(make_items: MakeItems) -> None:
    for stated, names in (({"hat": [-1]}, ()), ({}, ()), ({"hat": [-1]}, ("hat",)), ({"hat": [0]}, ("skin",))):
        with pytest.raises(CannotMeasure, match="nothing to adhere to") as caught:
            AttributeMatch("avatars", names).measure(seen(make_items, {"hat": [0]}, stated))
        assert caught.value.status is ScoreStatus.UNDEFINED


def test_a_stated_attribute_that_the_classifier_does_not_read_is_a_mismatch(make_items: MakeItems) -> None:
    with pytest.raises(CannotMeasure, match="no attribute 'skin'; it reads: hat") as caught:
        AttributeMatch("avatars").measure(seen(make_items, {"hat": [0]}, {"hat": [0], "skin": [0]}))
    assert caught.value.status is ScoreStatus.PROTOCOL_MISMATCH


def test_a_class_that_is_open_is_never_a_hit() -> None:
    each, rate = match(np.array([[0, 0]]), np.array([[-1, 0]]))
    assert np.isnan(each[0])
    assert each[1] == 1
    assert rate.tolist() == [1]
