"""The one writer: rounding, clipping, refusal of NaN (metrics.md test T3)."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.images import to_uint8


def test_every_level_survives_errors_below_half_a_level() -> None:
    levels = np.arange(256)
    for error in (-0.49 / 255, 0.0, 0.49 / 255):
        assert (to_uint8(levels / 255 + error) == levels).all()


def test_a_truncating_writer_fails_the_same_check() -> None:
    levels = np.arange(256)
    truncated = (np.clip(levels / 255 - 0.49 / 255, 0, 1) * 255).astype(np.uint8)
    assert (truncated != levels).mean() > 0.9


def test_values_outside_the_range_are_clipped_not_wrapped() -> None:
    assert to_uint8(np.array([-3.0, 2.0])).tolist() == [0, 255]


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 pixel values are NaN"):
        to_uint8(np.array([0.5, np.nan]))
