"""Adherence: what is stated and shown scores high, what is stated and not shown scores low."""

from __future__ import annotations

import numpy as np
import pytest

from harness.models.judges import find
from harness.models.judges.adherence import stated
from harness.worlds.avatars.attributes import Portraits

STATED = ("skin", "hat", "style", "background")


def test_portraits_adhere_to_their_own_attributes_and_not_to_others(portraits: Portraits, renders: np.ndarray) -> None:
    read = find("avatars-adherence").open("cpu")
    own = [{"expected": {a: portraits.classes(i)[a] for a in STATED}} for i in range(len(renders))]
    score = read({"images": renders}, own)["score"]
    assert score.dtype == np.float32
    assert score.mean() > 0.85
    style = portraits.labels["style"]
    other = [{"expected": {"style": "ink" if style[i] != 1 else "flat"}} for i in range(len(renders))]
    wrong = [i for i in range(len(renders)) if other[i]["expected"]["style"] != portraits.classes(i)["style"]]
    assert read({"images": renders}, other)["score"][wrong].mean() < 0.1


def test_the_score_is_the_mean_over_what_is_stated_and_of_the_item_alone(
    portraits: Portraits, renders: np.ndarray
) -> None:
    read = find("avatars-adherence").open("cpu")
    looks = portraits.classes(0)
    each = [read({"images": renders[:1]}, [{"expected": {a: looks[a]}}])["score"][0] for a in ("skin", "hat")]
    facts = [{"expected": {"skin": looks["skin"], "hat": looks["hat"]}}, *[{"expected": {"hat": "none"}}] * 5]
    both = read({"images": renders[:6]}, facts)["score"]
    assert both[0] == pytest.approx(np.mean(each), abs=1e-6)
    assert both[0] == read({"images": renders[:1]}, facts[:1])["score"][0]


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        ({}, "states no attribute"),
        ({"expected": {}}, "states no attribute"),
        ({"expected": {"hats": "none"}}, "does not read; try 'hat'"),
        ({"expected": {"hat": "crown of gold"}}, "hat 'crown of gold'; one of"),
    ],
)
def test_what_cannot_be_judged_is_an_error_naming_the_item(fact: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stated([{"expected": {"hat": "none"}}, fact], {"hat": ("none", "beanie")})


def test_facts_and_images_must_be_as_many(renders: np.ndarray) -> None:
    with pytest.raises(ValueError, match="1 facts for 2 images"):
        find("avatars-adherence").open("cpu")({"images": renders[:2]}, [{"expected": {"hat": "none"}}])
