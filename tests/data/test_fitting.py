"""Crop and resize rules: kept where nothing is to be done, near torch's antialiased bicubic, right geometry."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.fitting import Fit, Rule

RULES: tuple[Rule, ...] = ("crop", "stretch", "adm")
RNG = np.random.default_rng(1)


@pytest.mark.parametrize("rule", RULES)
def test_an_image_of_the_right_size_is_the_very_array(rule: Rule) -> None:
    image = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert Fit(rule, 16)(image) is image


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shape", [(37, 91), (91, 37), (8, 9), (64, 64)])
def test_the_result_is_square_and_a_constant_stays(rule: Rule, shape: tuple[int, int]) -> None:
    made = Fit(rule, 16)(np.full((*shape, 3), (3, 200, 77), dtype=np.uint8))
    assert made.shape == (16, 16, 3)
    assert (made == (3, 200, 77)).all()


def test_stretch_is_torchs_antialiased_bicubic_to_a_level() -> None:
    import torch

    image = RNG.integers(0, 256, (37, 91, 3), dtype=np.uint8)
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    other = torch.nn.functional.interpolate(tensor, (24, 24), mode="bicubic", antialias=True, align_corners=False)
    ours = Fit("stretch", 24)(image).astype(float)
    # .5 of rounding and .01 between the two float paths (metrics.md section 1.2)
    assert np.abs(ours - other.clamp(0, 255)[0].permute(1, 2, 0).numpy()).max() <= 0.51


def test_crop_takes_the_middle_and_stretch_all() -> None:
    image = np.zeros((8, 24, 3), dtype=np.uint8)
    image[:, 8:16] = 255
    assert (Fit("crop", 8)(image) == 255).all()
    assert Fit("stretch", 8)(image).mean() == pytest.approx(85, abs=2)


def test_adm_halves_by_boxes() -> None:
    image = RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    once = image.reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))
    # Pillow rounds to levels after each of its two passes: half a level each
    assert np.abs(Fit("adm", 16)(image) - once).max() <= 1.0
    assert abs((Fit("adm", 16)(image) - once).mean()) < 0.5


def test_a_rule_and_a_side_belong_together() -> None:
    for rule, side in (("none", 8), ("crop", None)):
        with pytest.raises(ValueError, match="belong together"):
            Fit(rule, side)  # type: ignore[arg-type]
