"""Sharpness: closed forms of edges, order under blur, and scikit-image's blur_effect."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from harness.models.judges.sharpness import Sharpness, blur_effect


def crossed(side: int = 48) -> np.ndarray:
    """A step along each axis, of half the range."""
    step = (np.arange(side) >= side // 2).astype(float)
    return 0.5 * step[:, None] + 0.5 * step[None]


@pytest.mark.parametrize("width", [5, 11])
def test_a_step_keeps_all_but_two_pixels_in_the_width_of_the_filter(width: int) -> None:
    # |S| is 1/2 in two columns, |S'| is 1/width there: the share that blurring takes is 1 - 2/width
    assert blur_effect(crossed(), width) == pytest.approx(2 / width, abs=1e-9)


def test_an_image_is_as_blurred_as_its_worse_axis() -> None:
    step = np.repeat((np.arange(48) >= 24).astype(float)[None], 48, axis=0)
    assert blur_effect(step, 11) == pytest.approx(1.0)  # no edge at all along the other axis
    assert blur_effect(np.full((32, 32), 0.3), 11) == pytest.approx(1.0)


def test_scores_fall_with_blur_and_do_not_depend_on_the_batch(renders: np.ndarray) -> None:
    read = Sharpness().open("cpu")
    rows = []
    for sigma in (0.0, 0.7, 1.5, 3.0):
        dull = np.stack([ndimage.gaussian_filter(x, (sigma, sigma, 0)) for x in renders[:12]])
        rows.append(read({"images": dull}, [{}] * 12)["score"])
    scores = np.array(rows)
    assert scores.dtype == np.float32
    assert (np.diff(scores, axis=0) < 0).all()
    alone = read({"images": renders[3:4]}, [{}])["score"]
    assert alone[0] == scores[0, 3]


def test_it_is_one_minus_the_blur_effect_of_scikit_image(renders: np.ndarray) -> None:
    measure = pytest.importorskip("skimage.measure")
    for width in (5, 11):
        ours = Sharpness(width).open("cpu")({"images": renders[:6]}, [{}] * 6)["score"]
        theirs = [1 - measure.blur_effect(x, h_size=width, channel_axis=-1) for x in renders[:6]]
        assert ours == pytest.approx(np.array(theirs), abs=1e-6)
