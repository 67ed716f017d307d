"""Windows, the differentiable SSIM and the diverse inputs: closed forms and parity."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cloak_toys import photos, picture
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import keys
from harness.methods.cloaking.diverse_inputs import DiverseInputs, placed, placing
from harness.metrics import structure
from harness.models.kernels import Border, gaussian, windowed
from harness.models.structural import dssim, ssim


@pytest.mark.parametrize(("size", "sigma"), [(1, 2.0), (3, 1 / 3), (7, 3.0), (11, 1.5)])
def test_a_window_sums_to_one_and_falls_as_a_gaussian(size: int, sigma: float) -> None:
    found = np.array(gaussian(size, sigma))
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    middle = size // 2
    assert np.allclose(found / found[middle], np.exp(-((np.arange(size) - middle) ** 2) / (2 * sigma**2)))


def test_a_window_has_a_middle_and_fits() -> None:
    with pytest.raises(ValueError, match="must be odd"):
        gaussian(4, 1.0)
    with pytest.raises(ValueError, match="too wide"):
        windowed(torch.zeros(1, 3, 5, 5), gaussian(11, 1.0), Border.MIRROR)


def test_a_point_becomes_the_window_and_a_flat_picture_stays() -> None:
    weights = gaussian(5, 1.0)
    point = torch.zeros(1, 3, 11, 11)
    point[0, 1, 5, 5] = 1.0
    spread = windowed(point, weights, Border.ZERO)
    assert torch.allclose(spread[0, 1, 3:8, 3:8], torch.outer(torch.tensor(weights), torch.tensor(weights)))
    assert spread[0, [0, 2]].abs().max() == 0
    flat = torch.full((1, 3, 11, 11), 0.25)
    assert torch.allclose(windowed(flat, weights, Border.MIRROR), flat)
    corner = float(windowed(flat, weights, Border.ZERO)[0, 0, 0, 0])
    assert corner == pytest.approx(0.25 * sum(weights[2:]) ** 2, rel=1e-6)
    assert windowed(flat, weights, Border.VALID).shape == (1, 3, 7, 7)


def test_ssim_is_that_of_the_metric() -> None:
    """Both float64, of the same 8-bit levels: the order of sums differs."""
    rng = keys.generator(0, "world", "ssim")
    a = rng.integers(0, 256, (4, 24, 19, 3), dtype=np.uint8)
    b = np.clip(a + rng.integers(-40, 41, a.shape), 0, 255).astype(np.uint8)
    x, y = (torch.from_numpy(v).permute(0, 3, 1, 2).double() / 255 for v in (a, b))
    assert np.allclose(ssim(x, y).numpy(), structure.ssim(a, b), atol=1e-10)
    assert (ssim(x, x) == 1).all()
    assert (dssim(x, x) == 0).all()
    assert torch.allclose(dssim(x, y), (1 - ssim(x, y)) / 2)


def test_ssim_of_flat_pictures_is_its_luminance_term() -> None:
    """(2 a b + C1) / (a² + b² + C1) at a = .5, b = .25; the variances are 0."""
    a, b = (torch.full((1, 3, 16, 16), v, dtype=torch.float64) for v in (0.5, 0.25))
    assert float(ssim(a, b)) == pytest.approx((0.25 + 1e-4) / (0.3125 + 1e-4), abs=1e-9)


def test_the_gradient_of_ssim_is_that_of_its_values() -> None:
    x, y, step = (picture(n)[None].double() for n in "abc")
    (slope,) = torch.autograd.grad(ssim(x.requires_grad_(True), y).sum(), x)
    h = 1e-5 * (step - 0.5)
    measured = float(ssim(x.detach() + h, y) - ssim(x.detach() - h, y)) / 2
    assert measured == pytest.approx(float((slope * h).sum()), rel=1e-6)


def test_a_picture_in_its_own_size_is_placed_untouched() -> None:
    x = photos(2).pixels
    whole = placing(16, torch.tensor([16, 16]), torch.tensor([0, 0]))
    assert torch.equal(whole, torch.eye(16).expand(2, -1, -1))
    assert torch.equal(placed(x, whole, whole), x)


@settings(max_examples=30)
@given(st.integers(4, 16), st.integers(0, 12), st.integers(0, 12))
def test_a_placed_picture_is_the_bilinear_one_on_black(size: int, down: int, right: int) -> None:
    down, right = min(down, 16 - size), min(right, 16 - size)
    x = picture("p")[None]
    rows, columns = (placing(16, torch.tensor([size]), torch.tensor([o])) for o in (down, right))
    wanted = torch.zeros_like(x)
    shrunk = torch.nn.functional.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
    wanted[:, :, down : down + size, right : right + size] = shrunk
    assert torch.allclose(placed(x, rows, columns), wanted, atol=1e-6)


def test_diverse_inputs_shrink_as_often_and_as_far_as_asked() -> None:
    many = photos(40)
    white = torch.ones_like(many.pixels)
    diverse = DiverseInputs(many, 0, "x", 10, 0.5, 0.75)
    seen = torch.stack([diverse(white, t) for t in range(10)])  # (10, 40, 3, 16, 16)
    heights = (seen[:, :, 0].amax(3) > 0.5).sum(2)
    widths = (seen[:, :, 0].amax(2) > 0.5).sum(2)
    assert set(heights.unique().tolist()) == {12, 13, 14, 15, 16}
    assert torch.equal(heights, widths)
    whole = (heights == 16).float().mean()
    assert abs(whole - (0.5 + 0.5 / 5)) < 0.08  # 400 draws, three deviations
    assert torch.allclose(seen.flatten(2).sum(2), 3.0 * heights * widths, rtol=1e-5)  # nothing is cut off
    assert len({tuple(h) for h in heights.T.tolist()}) > 30  # photos have draws of their own


def test_without_diversity_the_very_picture_is_seen() -> None:
    x = photos(2).pixels
    for share, least in ((0.0, 0.5), (1.0, 1.0)):
        assert DiverseInputs(photos(2), 0, "x", 1, share, least)(x, 0) is x
