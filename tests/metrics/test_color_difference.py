from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.keys import generator
from harness.metrics.color_difference import (
    NAMES,
    NameVendi,
    PairDifference,
    PaletteEntropy,
    cells_of,
    effective_number,
    mean_pair_difference,
    names_of,
)
from harness.metrics.colorimetry import ciede2000, lab
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus

Paint = Callable[..., np.ndarray]
MakeItems = Callable[..., Items]
ANCHORS = list(NAMES.values())


def scene(flat: Paint, make_items: MakeItems, colors: list, prompts: int = 1, group: int | None = None) -> Evidence:
    each = len(colors) // prompts
    return Evidence(make_items(prompts, each, group or each), images={"generated": flat(colors)})


def test_black_and_white_are_100_apart(flat: Paint, make_items: MakeItems) -> None:
    evidence = scene(flat, make_items, [(0, 0, 0), (255, 255, 255)])
    assert PairDifference().measure(evidence).value == pytest.approx(100, abs=1e-9)


def test_equal_images_do_not_differ(flat: Paint, make_items: MakeItems) -> None:
    assert PairDifference().measure(scene(flat, make_items, [(3, 90, 40)] * 4)).value == 0


def test_the_mean_of_an_image_is_taken_in_lab() -> None:
    halves = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    halves[0, 0] = 255
    other = np.full((1, 2, 2, 3), 119, dtype=np.uint8)  # L 50.03: the middle in Lab, not in sRGB (128 is L 53.6)
    items = Items(np.zeros(2, np.int64), np.arange(2), np.zeros(2, np.int64), ("x",))
    value = PairDifference().measure(Evidence(items, images={"generated": np.concatenate([halves, other])})).value
    assert value < 0.1


def test_the_pair_mean_is_the_mean_over_all_unordered_pairs() -> None:
    colors = lab(generator(0, "world", "colors").integers(0, 256, size=(5, 3)).astype(np.uint8))
    pairs = [float(ciede2000(colors[i], colors[j])) for i in range(5) for j in range(i)]
    assert mean_pair_difference(colors) == pytest.approx(np.mean(pairs), rel=1e-12)


def test_the_mean_is_over_groups_not_over_all_pairs(flat: Paint, make_items: MakeItems) -> None:
    evidence = scene(flat, make_items, [(0, 0, 0), (255, 255, 255), (9, 9, 9), (9, 9, 9)], 1, 2)
    measurement = PairDifference().measure(evidence)
    assert measurement.value == pytest.approx(50, abs=1e-9)
    assert measurement.n == 2


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any))
def test_the_effective_number_lies_between_one_and_the_number_of_classes(counts: list[int]) -> None:
    filled = sum(c > 0 for c in counts)
    assert 1 - 1e-12 <= effective_number(np.array(counts)) <= filled + 1e-9
    assert effective_number(np.array(counts) * 7) == pytest.approx(effective_number(np.array(counts)))


def test_k_equal_classes_count_k() -> None:
    assert effective_number(np.array([4, 4, 4, 0])) == pytest.approx(3)
    assert effective_number(np.array([5, 0])) == 1


def test_a_palette_of_four_far_colors_counts_four(flat: Paint, make_items: MakeItems) -> None:
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
    assert PaletteEntropy().measure(scene(flat, make_items, colors)).value == pytest.approx(4)
    assert PaletteEntropy().measure(scene(flat, make_items, colors[:1] * 4)).value == 1


def test_cells_are_cubes_and_whites_last_bit_does_not_move_it() -> None:
    colors = np.array([[9.99, -0.01, 0.0], [10.0, 0.01, 9.99], [100.0 - 1e-13, 0, 0], [100.0 + 1e-13, 0, 0]])
    assert cells_of(colors, 10.0).tolist() == [[0, -1, 0], [1, 0, 0], [10, 0, 0], [10, 0, 0]]


def test_every_anchor_bears_its_own_name() -> None:
    assert len(NAMES) == 11
    assert names_of(lab(np.array(ANCHORS, dtype=np.uint8))).tolist() == list(range(11))


def test_name_vendi_is_the_vendi_score_of_one_hot_names(flat: Paint, make_items: MakeItems) -> None:
    colors = [NAMES["red"], NAMES["red"], NAMES["blue"], NAMES["gray"]]
    one_hot = np.eye(3)[[0, 0, 1, 2]]
    spectrum = np.linalg.eigvalsh(one_hot @ one_hot.T / 4)
    spectrum = spectrum[spectrum > 1e-12]
    vendi = np.exp(-(spectrum * np.log(spectrum)).sum())
    assert NameVendi().measure(scene(flat, make_items, colors)).value == pytest.approx(vendi)


@pytest.mark.parametrize("measured", [PaletteEntropy(), NameVendi()])
def test_what_grows_with_the_group_refuses_unequal_groups(
    flat: Paint, make_items: MakeItems, measured: PaletteEntropy | NameVendi
) -> None:
    with pytest.raises(CannotMeasure) as caught:
        measured.measure(scene(flat, make_items, [(0, 0, 0)] * 5, 1, 3))
    assert caught.value.status is ScoreStatus.PROTOCOL_MISMATCH


def test_a_group_of_one_has_no_pair(flat: Paint, make_items: MakeItems) -> None:
    with pytest.raises(CannotMeasure, match="1 of 2 groups have fewer than 2 images") as caught:
        PairDifference().measure(scene(flat, make_items, [(0, 0, 0)] * 3, 1, 2))
    assert caught.value.status is ScoreStatus.INSUFFICIENT_N
