from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.keys import generator
from harness.metrics.colorimetry import LINEAR, ciede2000, image_hue, lab, mean_lab

GOLDENS = Path(__file__).parents[1] / "goldens" / "ciede2000.csv"
PAIRS = list(csv.DictReader(GOLDENS.open()))
colors = st.tuples(st.floats(0, 100), st.floats(-128, 128), st.floats(-128, 128))


def one(*rgb: int) -> np.ndarray:
    return lab(np.array([rgb], dtype=np.uint8))[0]


def test_all_34_published_pairs_are_there_with_their_source() -> None:
    assert [int(r["pair"]) for r in PAIRS] == list(range(1, 35))
    assert all(r["source"] and r["why"] for r in PAIRS)


@pytest.mark.parametrize("row", PAIRS, ids=lambda r: r["pair"])
def test_ciede2000_equals_the_published_pairs_both_ways(row: dict[str, str]) -> None:
    first, second = ([float(row[c + n]) for c in "Lab"] for n in "12")
    assert float(ciede2000(first, second)) == pytest.approx(float(row["delta_e"]), abs=float(row["tolerance"]))
    assert float(ciede2000(second, first)) == pytest.approx(float(row["delta_e"]), abs=float(row["tolerance"]))


@given(colors, colors)
def test_ciede2000_is_symmetric_nonnegative_and_zero_for_equal_colors(first: tuple, second: tuple) -> None:
    forward = float(ciede2000(first, second))
    assert forward >= 0
    # Opposite hues: the mean hue is decided by the sign of a rounding error, so exact opposites are left out.
    turn = np.arctan2(first[2], first[1]) - np.arctan2(second[2], second[1])
    if abs(np.cos(turn) + 1) > 1e-6:
        assert float(ciede2000(second, first)) == pytest.approx(forward, rel=1e-9, abs=1e-9)
    assert float(ciede2000(first, first)) == 0.0


def test_ciede2000_of_grays_is_their_weighted_lightness_difference() -> None:
    # Sl at mean L 55 is 1 + .015·25/√45.
    assert float(ciede2000([50, 0, 0], [60, 0, 0])) == pytest.approx(10 / (1 + 0.015 * 25 / np.sqrt(45)), abs=1e-12)


def test_white_black_and_grays_have_no_chroma() -> None:
    assert one(255, 255, 255) == pytest.approx([100, 0, 0], abs=1e-9)
    assert one(0, 0, 0) == pytest.approx([0, 0, 0], abs=1e-12)
    grays = lab(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1))
    assert np.abs(grays[:, 1:]).max() < 1e-9
    assert (np.diff(grays[:, 0]) > 0).all()


def test_red_is_where_the_standard_puts_it() -> None:
    assert one(255, 0, 0) == pytest.approx([53.24, 80.09, 67.20], abs=0.05)


def test_decoding_meets_at_the_break_of_the_transfer_curve() -> None:
    assert LINEAR[0] == 0.0
    assert LINEAR[255] == 1.0
    assert LINEAR[10] == pytest.approx(10 / 255 / 12.92)  # below .04045
    assert LINEAR[11] == pytest.approx(((11 / 255 + 0.055) / 1.055) ** 2.4)  # above it
    assert (np.diff(LINEAR) > 0).all()


def test_conversion_does_not_depend_on_how_pixels_are_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = generator(0, "world", "pixels").integers(0, 256, size=(9, 7, 3)).astype(np.uint8)
    whole = lab(picture)
    monkeypatch.setattr("harness.metrics.colorimetry._PIXELS", 5)
    assert lab(picture).tobytes() == whole.tobytes()
    assert mean_lab(picture[None])[0] == pytest.approx(whole.reshape(-1, 3).mean(axis=0))


def test_levels_of_another_type_are_refused() -> None:
    with pytest.raises(TypeError, match="uint8"):
        lab(np.zeros((1, 3), dtype=np.uint16))


def test_the_mean_hue_of_350_and_10_degrees_is_0() -> None:
    angle = np.radians([350, 10])
    pixels = np.stack([np.full(2, 50.0), 30 * np.cos(angle), 30 * np.sin(angle)], axis=1)
    hue, chroma, length = image_hue(pixels)
    assert hue == pytest.approx(0, abs=1e-12)
    assert chroma == pytest.approx(30)
    assert length == pytest.approx(30 * np.cos(np.radians(10)))


def test_a_pixel_weighs_by_its_chroma() -> None:
    hue, _, _ = image_hue(np.array([[50, 40.0, 0], [50, 0, 0.4]]))
    assert hue == pytest.approx(np.arctan2(0.4, 40))
