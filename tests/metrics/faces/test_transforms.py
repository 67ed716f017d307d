from __future__ import annotations

import numpy as np
import pytest

from harness.keys import generator
from harness.metrics.faces.transforms import TRANSFORMS, transformed

KEYS = [(f"{i:04d}",) for i in range(5)]


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    smooth = generator(0, "world", "transforms").integers(0, 256, size=(5, 6, 6, 3))
    return np.repeat(np.repeat(smooth, 8, axis=1), 8, axis=2).astype(np.uint8)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_shape_and_type_stay_and_a_photo_does_not_feel_its_neighbours(name: str, photos: np.ndarray) -> None:
    made = transformed(photos, name, KEYS, 0)  # type: ignore[arg-type]
    assert made.shape == photos.shape
    assert made.dtype == np.uint8
    alone = transformed(photos[3:4], name, KEYS[3:4], 0)  # type: ignore[arg-type]
    assert alone.tobytes() == made[3:4].tobytes()
    assert (made.tobytes() == photos.tobytes()) is (name == "none")
    assert len(transformed(photos[:0], name, [], 0)) == 0  # type: ignore[arg-type]


def test_lower_quality_is_farther_away(photos: np.ndarray) -> None:
    error = [
        np.abs(transformed(photos, name, KEYS, 0).astype(int) - photos).mean()
        for name in ("jpeg95", "jpeg85", "jpeg75", "jpeg50")
    ]
    assert error == sorted(error)


def test_a_flat_photo_only_changes_its_brightness() -> None:
    flat = np.full((1, 32, 32, 3), 100, dtype=np.uint8)
    for name in ("half", "blur1", "median3", "crop4"):
        assert transformed(flat, name, KEYS[:1], 0).tobytes() == flat.tobytes(), name  # type: ignore[arg-type]
    assert set(transformed(flat, "brighter10", KEYS[:1], 0).ravel()) == {110}
    assert set(transformed(flat, "darker10", KEYS[:1], 0).ravel()) == {90}
    assert transformed(flat + 155, "brighter10", KEYS[:1], 0).max() == 255


def test_a_median_removes_a_single_pixel_and_a_blur_spreads_it() -> None:
    dot = np.zeros((1, 9, 9, 3), dtype=np.uint8)
    dot[0, 4, 4] = 250
    assert transformed(dot, "median3", KEYS[:1], 0).max() == 0
    spread = transformed(dot, "blur1", KEYS[:1], 0)[0, :, :, 0].astype(float)
    assert spread[4, 4] == pytest.approx(250 / (2 * np.pi), rel=0.02)  # the middle of a Gaussian with σ = 1
    assert spread.sum() == pytest.approx(250, abs=12)  # rounded pixel by pixel


def test_a_crop_shifts_by_its_key_and_a_clean_twin_shifts_alike() -> None:
    ramp = np.tile(np.arange(32, dtype=np.uint8)[None, :, None], (32, 1, 3))
    many = np.stack([ramp] * 200)
    keys = [(str(i),) for i in range(200)]
    moved = transformed(many, "crop4", keys, 0)
    shift = moved[:, 16, 16, 0].astype(int) - 16
    assert set(shift) == set(range(-4, 5))
    assert transformed(many + 9, "crop4", keys, 0)[:, 16, 16, 0].tolist() == (shift + 25).tolist()
    assert transformed(many, "crop4", keys, 1).tobytes() != moved.tobytes()


def test_a_large_photo_is_sent_smaller_and_comes_back_in_its_size() -> None:
    stripes = np.zeros((1, 8, 3200, 3), dtype=np.uint8)
    stripes[:, :, ::2] = 255
    seen = transformed(stripes, "social1600", KEYS[:1], 0)
    assert seen.shape == stripes.shape
    assert seen.std() < 60 < stripes.std()  # stripes of one pixel do not survive half the size


def test_other_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        transformed(np.zeros((1, 8, 8, 3)), "half", KEYS[:1], 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="2 keys"):
        transformed(np.zeros((1, 8, 8, 3), dtype=np.uint8), "half", KEYS[:2], 0)
