from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.keys import generator
from harness.metrics.color_hue import HueDiversity, mean_pair_hue
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus

GOLDENS = {
    r["quantity"]: (float(r["value"]), float(r["tolerance"]))
    for r in csv.DictReader((Path(__file__).parents[1] / "goldens" / "item_metrics.csv").open())
}
Paint = Callable[..., np.ndarray]
MakeItems = Callable[..., Items]


@pytest.mark.parametrize(("name", "degrees"), [("hue_pair[0 20]", [0, 20]), ("hue_pair[0 120 240]", [0, 120, 240])])
def test_pair_values_are_the_closed_form(name: str, degrees: list[float]) -> None:
    value, tolerance = GOLDENS[name]
    assert mean_pair_hue(np.radians(degrees)) == pytest.approx(value, abs=tolerance)


def test_350_and_10_degrees_are_as_close_as_0_and_20() -> None:
    assert mean_pair_hue(np.radians([350, 10])) == pytest.approx(mean_pair_hue(np.radians([0, 20])))


@pytest.mark.parametrize("size", [2, 5, 20])
def test_uniform_hues_expect_1_whatever_the_group_size(size: int) -> None:
    hues = generator(0, "world", "hues", size).uniform(0, 2 * np.pi, size=(4000, size))
    values = np.array([mean_pair_hue(h) for h in hues])
    assert values.mean() == pytest.approx(1, abs=4 * values.std() / np.sqrt(4000))


def test_gray_images_have_no_hue(flat: Paint, make_items: MakeItems) -> None:
    evidence = Evidence(make_items(1, 3, 3), images={"generated": flat([(10, 10, 10), (90, 90, 90), (200, 200, 200)])})
    with pytest.raises(CannotMeasure, match="3 of 3 images are achromatic") as caught:
        HueDiversity().measure(evidence)
    assert caught.value.status is ScoreStatus.UNDEFINED


def test_one_chromatic_image_is_not_a_pair(flat: Paint, make_items: MakeItems) -> None:
    evidence = Evidence(make_items(1, 2, 2), images={"generated": flat([(200, 10, 10), (90, 90, 90)])})
    with pytest.raises(CannotMeasure, match="fewer than two images with a hue"):
        HueDiversity().measure(evidence)


def test_achromatic_images_are_counted_and_left_out_of_the_pairs(flat: Paint, make_items: MakeItems) -> None:
    colors = [(200, 10, 10), (200, 10, 10), (90, 90, 90), (10, 10, 200)]
    whole = HueDiversity().measure(Evidence(make_items(1, 4, 4), images={"generated": flat(colors)}))
    without = [c for c in colors if c != (90, 90, 90)]
    plain = HueDiversity().measure(Evidence(make_items(1, 3, 3), images={"generated": flat(without)}))
    assert whole.value == pytest.approx(plain.value)
    assert whole.companions["n_achromatic"].value == 1
    assert plain.companions["n_achromatic"].value == 0


def test_the_threshold_decides_what_is_achromatic(flat: Paint, make_items: MakeItems) -> None:
    evidence = Evidence(make_items(1, 2, 2), images={"generated": flat([(100, 90, 90), (90, 90, 100)])})
    assert HueDiversity(chroma=1.0).measure(evidence).companions["n_achromatic"].value == 0
    with pytest.raises(CannotMeasure):
        HueDiversity(chroma=30.0).measure(evidence)


def test_the_rounding_error_of_a_gray_is_no_hue_even_without_a_threshold(flat: Paint, make_items: MakeItems) -> None:
    evidence = Evidence(make_items(1, 2, 2), images={"generated": flat([(10, 10, 10), (90, 90, 90)])})
    with pytest.raises(CannotMeasure, match="2 of 2 images are achromatic"):
        HueDiversity(chroma=0.0).measure(evidence)
