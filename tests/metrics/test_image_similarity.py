"""SSIM, PSNR, MS-SSIM: closed forms and goldens of metrics.md T62, parity with torchmetrics and scikit-image."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.metrics.image_similarity import MsSsim, MsSsimPairs, Psnr, Ssim, smallest_side
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus
from harness.metrics.structure import Border, ms_ssim, psnr, ssim


def constant(level: int, side: int = 16) -> np.ndarray:
    return np.full((1, side, side, 3), level, np.uint8)


def gradient() -> tuple[np.ndarray, np.ndarray]:
    """(3y + 2x) mod 256, and the same plus 20 on an 8-pixel checkerboard, mod 256; grey, 64²."""
    y, x = np.mgrid[:64, :64]
    plain = (3 * y + 2 * x) % 256
    moved = (plain + 20 * ((y // 8 + x // 8) % 2)) % 256
    return tuple(np.repeat(v[None, :, :, None], 3, axis=3).astype(np.uint8) for v in (plain, moved))  # type: ignore[return-value]


def noisy(n: int = 5, side: int = 180, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, (n, side // 4, side // 4, 3)).repeat(4, 1).repeat(4, 2)
    b = np.clip(a + rng.normal(0, 25, a.shape), 0, 255)
    return a.astype(np.uint8), b.astype(np.uint8)


def test_two_constant_images_have_the_closed_form() -> None:  # T62
    assert ssim(constant(100), constant(110))[0] == pytest.approx(0.9954764441, abs=1e-10)
    assert psnr(constant(100), constant(110))[0] == pytest.approx(28.1308036, abs=1e-7)
    assert psnr(constant(100), constant(101))[0] == pytest.approx(48.1308036, abs=1e-7)


def test_identical_images_have_ssim_one_and_no_finite_psnr() -> None:  # T62
    a, _ = noisy(2, 32)
    np.testing.assert_allclose(ssim(a, a), 1.0, atol=1e-12)
    assert np.isinf(psnr(a, a)).all()


def test_floats_are_refused_for_their_range_is_not_known() -> None:  # T62
    for function in (ssim, psnr, ms_ssim):
        with pytest.raises(TypeError, match="uint8"):
            function(constant(100) / 255.0, constant(110) / 255.0)


def test_symmetric() -> None:  # T62
    a, b = noisy(3, 48)
    for function in (ssim, psnr):
        np.testing.assert_allclose(function(a, b), function(b, a), rtol=1e-12)


def test_equal_to_scikit_image_with_gaussian_weights_and_unequal_to_its_defaults() -> None:  # T62
    skimage = pytest.importorskip("skimage.metrics")
    for a, b in (gradient(), tuple(v[:1] for v in noisy(1, 48))):
        theirs = skimage.structural_similarity(
            a[0], b[0], channel_axis=-1, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert ssim(a, b)[0] == pytest.approx(theirs, abs=1e-7)
        other = skimage.structural_similarity(a[0], b[0], channel_axis=-1, data_range=255)
        assert abs(ssim(a, b)[0] - other) > 1e-4
        assert psnr(a, b)[0] == pytest.approx(skimage.peak_signal_noise_ratio(a[0], b[0], data_range=255), abs=1e-9)


def test_gradient_and_checkerboard_are_the_golden_ones() -> None:  # T62
    assert ssim(*gradient())[0] == pytest.approx(0.5773430, abs=1e-7)
    assert psnr(*gradient())[0] == pytest.approx(15.3719340, abs=1e-7)


def test_the_reflected_border_is_torchmetrics_and_another_number_than_whole_windows() -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.image")
    a, b = noisy(2, 176)
    x, y = (torch.from_numpy(v.astype(np.float64)).permute(0, 3, 1, 2) for v in (a, b))
    settings = {"data_range": 255.0, "reduction": "none"}
    theirs = functional.structural_similarity_index_measure(x, y, return_full_image=True, **settings)
    np.testing.assert_allclose(ssim(a, b, Border.REFLECT), theirs[0], atol=1e-12)
    inside = theirs[1][:, :, 5:-5, 5:-5].mean(dim=(1, 2, 3))  # away from their border the two rules are one
    np.testing.assert_allclose(ssim(a, b), inside, atol=1e-9)
    assert (np.abs(ssim(a, b) - theirs[0].numpy()) > 1e-4).all()
    theirs = functional.multiscale_structural_similarity_index_measure(x, y, normalize="relu", **settings)
    np.testing.assert_allclose(ms_ssim(a, b, 5, Border.REFLECT), theirs, atol=1e-12)
    theirs = functional.peak_signal_noise_ratio(x, y, data_range=255.0, dim=(1, 2, 3), reduction="none")
    np.testing.assert_allclose(psnr(a, b), theirs, atol=2e-6)  # their logarithm of 255 is float32


@pytest.mark.parametrize("border", list(Border))
def test_pairs_of_a_prompt_follow_the_border_rule(border: Border) -> None:
    a, _ = noisy(3, 48)
    found = MsSsimPairs(2, border).measure(evidence(a, a, prompts=1)).value
    by_hand = [ms_ssim(a[[i]], a[[j]], 2, border)[0] for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found == pytest.approx(np.mean(by_hand), abs=1e-12)


def test_one_scale_is_ssim_and_more_noise_is_less_similar() -> None:
    a, b = noisy(2, 48)
    np.testing.assert_allclose(ms_ssim(a, b, 1), ssim(a, b), rtol=1e-12)
    far = np.clip(b + np.random.default_rng(0).normal(0, 60, b.shape), 0, 255).astype(np.uint8)
    for function in (ssim, psnr):
        assert (function(a, far) < function(a, b)).all()


def evidence(generated: np.ndarray, source: np.ndarray, prompts: int = 2) -> Evidence:
    n = len(generated)
    prompt = np.arange(n) * prompts // n
    sample = np.arange(n) - np.searchsorted(prompt, prompt)
    items = Items(prompt, sample, prompt, tuple(f"p{i}" for i in range(prompts)))
    return Evidence(items, images={"generated": generated, "source": source})


def test_identical_images_leave_the_mean_of_psnr_and_are_counted() -> None:  # T62
    a, b = noisy(4, 48)
    b[1] = a[1]
    found = Psnr().measure(evidence(b, a))
    assert found.companions["identical"].value == 1
    assert found.n == 3
    assert found.value == pytest.approx(psnr(b, a)[[0, 2, 3]].mean())
    with pytest.raises(CannotMeasure, match="identical") as caught:
        Psnr().measure(evidence(a, a))
    assert caught.value.status is ScoreStatus.UNDEFINED


def test_shuffled_sources_lower_the_similarity() -> None:
    a, b = noisy(4, 48)
    right = Ssim().measure(evidence(b, a)).value
    assert Ssim().measure(evidence(b, a[[1, 2, 3, 0]])).value < right - 0.1


@pytest.mark.parametrize("scales", [1, 2, 3, 4, 5])
def test_the_smallest_side_is_enough_and_one_less_is_refused_with_what_to_do(scales: int) -> None:
    side = smallest_side(scales)
    a, b = (v[:, :side, :side] for v in noisy(4, 180))
    assert 0 < MsSsim(scales).measure(evidence(b, a)).value < 1
    small = evidence(b[:, :-1, :-1], a[:, :-1, :-1])
    with pytest.raises(CannotMeasure, match=f"at least {side}"):
        MsSsim(scales).measure(small)


def test_pairs_are_all_pairs_of_a_prompt_and_no_other() -> None:
    a, _ = noisy(6, 48, seed=5)
    by_hand = []
    for members in ((0, 1, 2), (3, 4, 5)):
        pairs = [(i, j) for i in members for j in members if i < j]
        by_hand.append(np.mean([ms_ssim(a[[i]], a[[j]], 2)[0] for i, j in pairs]))
    found = MsSsimPairs(2).measure(evidence(a, a))
    assert found.value == pytest.approx(np.mean(by_hand), rel=1e-12)
    equal = dataclasses.replace(evidence(a, a), images={"generated": np.repeat(a[:1], 6, axis=0)})
    assert MsSsimPairs(2).measure(equal).value == pytest.approx(1.0)


def test_sources_of_another_size_are_a_protocol_mismatch() -> None:
    a, _ = noisy(4, 48)
    with pytest.raises(CannotMeasure, match="differ in size") as caught:
        Ssim().measure(evidence(a, a[:, :40, :40]))
    assert caught.value.status is ScoreStatus.PROTOCOL_MISMATCH
