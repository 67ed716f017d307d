"""Nearest neighbours against scikit-learn, colors against scikit-image: equal in one protocol, different in another."""

from __future__ import annotations

import numpy as np
import pytest

from harness.keys import generator
from harness.metrics.colorimetry import ciede2000, lab
from harness.metrics.neighbors import nearest, nearest_other

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("shift", [0.0, 3.0, 1e3])
def test_nearest_neighbours_equal_scikit_learns_in_float64(shift: float) -> None:
    from sklearn.neighbors import NearestNeighbors

    random = generator(0, "world", "parity")
    points = (random.normal(size=(200, 64)) + shift).astype(np.float32)
    references = (random.normal(size=(150, 64)) + shift).astype(np.float32)
    index = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(references.astype(np.float64) - shift)
    distance, row = index.kneighbors(points.astype(np.float64) - shift)
    found = nearest(points, references)
    assert found.distance == pytest.approx(distance[:, 0], abs=1e-6)
    assert (found.index == row[:, 0]).all()
    assert found.distance != pytest.approx(distance[:, 1], abs=1e-3)
    spacing = index.kneighbors(references.astype(np.float64) - shift)[0][:, 1]
    assert nearest_other(references).distance == pytest.approx(spacing, abs=1e-6)


def test_color_differences_equal_scikit_images() -> None:
    from skimage.color import deltaE_cie76, deltaE_ciede2000

    drawn = generator(0, "world", "parity").uniform([0, -100, -100], [100, 100, 100], size=(2, 500, 3))
    ours = ciede2000(drawn[0], drawn[1])
    assert ours == pytest.approx(deltaE_ciede2000(drawn[0], drawn[1]), abs=1e-9)
    assert np.abs(ours - deltaE_cie76(drawn[0], drawn[1])).max() > 10


def test_lab_agrees_with_scikit_image_up_to_its_white_point() -> None:
    from skimage.color import rgb2lab

    levels = generator(0, "world", "parity").integers(0, 256, size=(500, 3)).astype(np.uint8)
    theirs = rgb2lab(levels)
    # Its matrix has six digits where the standard has four, and its white is not that of its matrix.
    assert np.abs(lab(levels) - theirs).max() < 0.05
    white = np.full((1, 3), 255, dtype=np.uint8)
    assert np.abs(rgb2lab(white)[0, 1:]).max() > 1e-3
    assert np.abs(lab(white)[0, 1:]).max() < 1e-9
