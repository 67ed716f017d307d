from __future__ import annotations

import numpy as np
import pytest

from harness.keys import generator
from harness.metrics.image_similarity import Ssim
from harness.metrics.metric import Evidence, Items
from harness.metrics.pixel_distance import Dssim, EuclideanDistance, LargestDifference, euclidean, largest_difference


def evidence_of(own: np.ndarray, source: np.ndarray) -> Evidence:
    n = len(own)
    items = Items(np.arange(n), np.zeros(n, dtype=int), np.arange(n), tuple("x" * n))
    return Evidence(items=items, images={"generated": own, "source": source})


def test_differences_in_closed_form() -> None:
    black, other = np.zeros((2, 16, 16, 3), dtype=np.uint8), np.zeros((2, 16, 16, 3), dtype=np.uint8)
    other[0, 3, 4, 1], other[1] = 51, 255
    assert largest_difference(black, other).tolist() == [0.2, 1.0]
    assert euclidean(black, other) == pytest.approx([0.2, np.sqrt(16 * 16 * 3)])
    assert largest_difference(other, black).tolist() == [0.2, 1.0]  # no wrap-around of 8 bits
    found = LargestDifference().measure(evidence_of(other, black))
    assert found.value == 0.6
    assert found.companions["max"].value == 1.0
    assert EuclideanDistance().measure(evidence_of(black, black)).value == 0.0


def test_dssim_is_half_of_what_ssim_lacks() -> None:
    random = generator(0, "world", "pixels")
    own = random.integers(0, 256, size=(3, 16, 16, 3)).astype(np.uint8)
    source = np.clip(own.astype(int) + random.integers(-30, 31, size=own.shape), 0, 255).astype(np.uint8)
    evidence = evidence_of(own, source)
    assert Dssim().measure(evidence).value == pytest.approx((1 - Ssim().measure(evidence).value) / 2, abs=1e-15)
    assert Dssim().measure(evidence_of(own, own)).value == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("eps", [4, 8, 16])
def test_a_budget_holds_after_the_8_bit_round_trip(eps: int) -> None:
    random = generator(eps, "world", "budget")
    source = random.integers(0, 256, size=(4, 16, 16, 3)).astype(np.uint8)
    push = random.uniform(-eps, eps, size=source.shape)
    own = np.clip(np.rint(source + push), 0, 255).astype(np.uint8)
    assert largest_difference(own, source).max() <= (eps + 0.5) / 255


def test_t19_less_than_half_a_step_is_the_identity_after_the_reload() -> None:
    random = generator(0, "world", "t19")
    source = random.integers(0, 256, size=(4, 16, 16, 3)).astype(np.uint8)
    own = np.clip(np.rint(source + random.uniform(-0.49, 0.49, size=source.shape)), 0, 255).astype(np.uint8)
    assert largest_difference(own, source).max() == 0.0
