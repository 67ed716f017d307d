from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.keys import generator
from harness.metrics.color_dominance import (
    COLORS,
    AllColors,
    ColorShare,
    MeanColors,
    TwoColors,
    dominant,
    expect_all,
    expect_mean,
    expect_two,
    independent,
    pooled_share,
    regrouped,
)
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus

GOLDENS = {
    r["quantity"]: (float(r["value"]), float(r["tolerance"]))
    for r in csv.DictReader((Path(__file__).parents[1] / "goldens" / "item_metrics.csv").open())
}
RED, GREEN, BLUE, GRAY = (200, 10, 10), (10, 200, 10), (10, 10, 200), (90, 90, 90)
THIRD = (1 / 3, 1 / 3, 1 / 3, 0)

Paint = Callable[..., np.ndarray]
MakeItems = Callable[..., Items]


@pytest.fixture
def scene(flat: Paint, make_items: MakeItems) -> Callable[..., Evidence]:
    def build(colors: list[tuple[int, int, int]], prompts: int, size: int) -> Evidence:
        return Evidence(make_items(prompts, len(colors) // prompts, size), images={"generated": flat(colors)})

    return build


@pytest.mark.parametrize(
    ("rgb", "factor", "winner"),
    [
        ((255, 0, 0), 1.1, "red"),
        ((0, 255, 0), 1.1, "green"),
        ((0, 0, 255), 1.1, "blue"),
        ((255, 128, 0), 1.0, "red"),
        ((255, 128, 0), 1.1, "red"),
        ((7, 7, 7), 1.0, "none"),
        ((0, 0, 0), 1.0, "none"),
        ((100, 100, 20), 1.0, "none"),  # an exact tie never dominates
        ((110, 100, 20), 1.1, "none"),  # nor one at K = 1.1, where 1.1 · 100 in binary is above 110
        ((11, 10, 2), 1.1, "none"),
        ((111, 100, 20), 1.1, "red"),
        ((33, 30, 0), 1.1, "none"),
    ],
)
def test_a_color_dominates_strictly(flat: Paint, rgb: tuple[int, int, int], factor: float, winner: str) -> None:
    assert COLORS[dominant(flat([rgb]), factor)[0]] == winner


@given(st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255)), st.sampled_from([1.0, 1.1, 1.5]))
def test_dominance_follows_a_permutation_of_the_channels(rgb: tuple[int, int, int], factor: float) -> None:
    picture = np.array(rgb, dtype=np.uint8).reshape(1, 1, 1, 3)
    winner = dominant(picture, factor)[0]
    turned = dominant(picture[..., [1, 2, 0]], factor)[0]
    assert turned == (3 if winner == 3 else (winner - 1) % 3)


@pytest.mark.parametrize("factor", [1.0, 1.1])
def test_one_pure_image_of_each_color_gives_all(scene: Callable[..., Evidence], factor: float) -> None:
    evidence = scene([RED, GREEN, BLUE], 1, 3)
    assert AllColors(factor=factor, size=3).measure(evidence).value == 1
    assert TwoColors(factor=factor).measure(evidence).value == 1
    assert MeanColors(factor=factor).measure(evidence).value == 3


def test_gray_images_change_the_shares_only(scene: Callable[..., Evidence]) -> None:
    plain, grayed = scene([RED, GREEN, BLUE], 1, 3), scene([RED, GREEN, BLUE, GRAY], 1, 4)
    assert AllColors().measure(grayed).value == AllColors().measure(plain).value == 1
    assert ColorShare("red").measure(plain).value == pytest.approx(1 / 3)
    assert ColorShare("red").measure(grayed).value == 1 / 4
    assert ColorShare("none").measure(grayed).value == 1 / 4


def test_the_group_is_the_declared_one(scene: Callable[..., Evidence]) -> None:
    # Groups (R R R), (G G G), (B B B): re-batching them as R G B would report 1.
    evidence = scene([RED] * 3 + [GREEN] * 3 + [BLUE] * 3, 1, 3)
    measurement = AllColors(size=3).measure(evidence)
    assert measurement.value == 0
    assert measurement.n == 3
    assert measurement.units is not None
    assert measurement.units.key.tolist() == ["0000/g00", "0000/g01", "0000/g02"]


def test_excess_is_what_coupling_did_beyond_the_shares(scene: Callable[..., Evidence]) -> None:
    # Four groups, each one of every color: random grouping of the same images would give less.
    measurement = AllColors().measure(scene([RED, GREEN, BLUE] * 4, 1, 3))
    by_hand = 4**3 / 220  # of the C(12, 3) groups, those with one image of each color
    assert measurement.companions["expected"].value == pytest.approx(by_hand)
    assert measurement.companions["excess"].value == pytest.approx(1 - by_hand)


def test_one_group_a_prompt_cannot_tell_coupling_from_shares(scene: Callable[..., Evidence]) -> None:
    assert AllColors().measure(scene([RED, GREEN, BLUE], 1, 3)).companions == {}


def test_independent_images_have_no_excess(make_items: MakeItems, flat: Paint) -> None:
    random = generator(0, "world", "dominance")
    palette = np.array([RED, GREEN, BLUE, GRAY])
    values = []
    for _ in range(200):
        drawn = palette[random.choice(4, size=5 * 4 * 5, p=[0.5, 0.3, 0.1, 0.1])]
        evidence = Evidence(make_items(5, 20, 5), images={"generated": flat(drawn)})
        values.append(AllColors().measure(evidence).companions["excess"].value)
    assert abs(np.mean(values)) < 4 * np.std(values, ddof=1) / np.sqrt(len(values))  # unbiased, 4 SE


@pytest.mark.parametrize(
    ("name", "expect", "shares"),
    [
        ("expect_all[1/3 1/3 1/3 0;5]", expect_all, THIRD),
        ("expect_all[.5 .3 .2 0;5]", expect_all, (0.5, 0.3, 0.2, 0)),
        ("expect_all[.5 .3 .1 .1;5]", expect_all, (0.5, 0.3, 0.1, 0.1)),
        ("expect_two[1/3 1/3 1/3 0;5]", expect_two, THIRD),
        ("expect_two[.5 .3 .1 .1;5]", expect_two, (0.5, 0.3, 0.1, 0.1)),
    ],
)
def test_the_expectation_of_independent_images_is_the_closed_form(
    name: str, expect: Callable[..., float], shares: tuple[float, ...]
) -> None:
    value, tolerance = GOLDENS[name]
    assert expect(independent(np.array(shares), 5)) == pytest.approx(value, abs=tolerance)


@pytest.mark.parametrize("shares", [THIRD, (0.5, 0.3, 0.2, 0.0), (0.5, 0.3, 0.1, 0.1)])
def test_simulated_groups_agree_with_the_closed_form(shares: tuple[float, ...]) -> None:
    drawn = generator(3, "world", "groups").choice(4, size=(20000, 5), p=shares)
    number = sum((drawn == c).any(axis=1).astype(int) for c in range(3))
    absence = independent(np.array(shares), 5)
    for observed, expected in (
        (number == 3, expect_all(absence)),
        (number >= 2, expect_two(absence)),
        (number, expect_mean(absence)),
    ):
        assert observed.mean() == pytest.approx(expected, abs=3 * observed.std() / np.sqrt(len(observed)))


@settings(max_examples=40)
@given(st.tuples(*[st.integers(0, 6)] * 4).filter(lambda c: sum(c) >= 4))
def test_drawing_without_replacement_tends_to_independent_draws(counts: tuple[int, ...]) -> None:
    many = np.array(counts) * 100000
    for expect in (expect_all, expect_two, expect_mean):
        near = expect(independent(many / many.sum(), 4))
        assert expect(regrouped(many, 4)) == pytest.approx(near, abs=1e-4)


def test_shares_are_pooled_within_a_prompt_and_then_averaged() -> None:
    hits, prompt = np.array([1, 1, 0, 0, 1]), np.array([0, 0, 0, 0, 1])
    assert pooled_share(hits, prompt) == pytest.approx((0.5 + 1.0) / 2)


def test_the_value_is_the_pooled_share(scene: Callable[..., Evidence]) -> None:
    evidence = scene([RED, GREEN, BLUE, RED, RED, RED] + [GRAY] * 6, 2, 3)
    measurement = AllColors().measure(evidence)
    assert measurement.units is not None
    assert measurement.value == pooled_share(measurement.units.value, measurement.units.cluster) == 0.25


def test_groups_of_another_size_are_another_metric(scene: Callable[..., Evidence]) -> None:
    with pytest.raises(CannotMeasure, match="groups of 3 images where the metric states 5") as caught:
        AllColors(size=5).measure(scene([RED, GREEN, BLUE], 1, 3))
    assert caught.value.status is ScoreStatus.PROTOCOL_MISMATCH
    with pytest.raises(CannotMeasure, match="unequal sizes"):
        AllColors().measure(scene([RED, GREEN, BLUE, GRAY, GRAY], 1, 3))


def test_images_that_are_not_rgb_bytes_are_refused_by_name(scene: Callable[..., Evidence]) -> None:
    evidence = scene([RED, GREEN, BLUE], 1, 3)
    picture = evidence.images["generated"]
    for wrong in (
        picture.astype(np.uint16),
        np.concatenate([picture, picture[..., :1]], axis=3),
        picture[..., 0],
        picture / np.float32(255),
    ):
        with pytest.raises(CannotMeasure, match="expected uint8") as caught:
            AllColors().measure(dataclasses.replace(evidence, images={"generated": wrong}))
        assert caught.value.status is ScoreStatus.PROTOCOL_MISMATCH
