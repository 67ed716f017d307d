"""Selection among noises: budgets, thresholds, norms (generation.md section 3)."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from harness import keys
from harness.methods.diversity.diverse_diffusion import DiverseDiffusion
from harness.methods.diversity.norm_matched_noise import NormMatchedNoise
from harness.methods.diversity.spread import block_mean, blur, blur_matrix, iid_distance, pool
from harness.methods.method import Group

SHAPE = (4, 8, 8)


def _noise(count: int, shape: tuple[int, ...] = SHAPE, seed: int = 3) -> torch.Tensor:
    return torch.stack([keys.normal(shape, seed, "init_noise", 0, i) for i in range(count)])


def _group(count: int, seed: int = 3) -> Group:
    return Group(seed, 0, "hat", 0, tuple(range(count)))


def _chosen(count: int = 6, shape: tuple[int, ...] = SHAPE, **options: Any) -> tuple[torch.Tensor, torch.Tensor, Group]:
    noise, group = _noise(count, shape), _group(count)
    return noise, DiverseDiffusion(**options).initial_noise(noise, group), group


def _least(z: torch.Tensor) -> float:
    return float(torch.nn.functional.pdist(z.flatten(1).double()).min())


VARIANTS = ["cap", "max_real", "cap_pool", "max_pool", "dispersion"]


@pytest.mark.parametrize("variant", ["max_real", "max_pool", "dispersion"])
@pytest.mark.parametrize("norm", ["keep", "match"])
def test_one_try_is_the_shared_noise_itself(variant: str, norm: str) -> None:
    noise, chosen, _ = _chosen(variant=variant, tries=1, norm=norm, blur=2.0)
    assert chosen is noise


@pytest.mark.parametrize("variant", ["cap", "cap_pool"])
def test_threshold_zero_takes_one_try_a_point(variant: str) -> None:
    noise, chosen, group = _chosen(variant=variant, threshold=0.0)
    assert chosen is noise
    assert ("tries", 0, 1.0) in group.activity
    assert ("relaxed", 0, 0.0) in group.activity


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_first_item_keeps_its_shared_noise(variant: str) -> None:
    """Dispersion may replace it in its second half."""
    noise, chosen, _ = _chosen(variant=variant, tries=8, threshold_quantile=0.6)
    assert torch.equal(noise[0], chosen[0]) or variant == "dispersion"
    assert not torch.equal(noise, chosen)


def test_a_cap_is_kept_by_every_pair_unless_it_was_relaxed() -> None:
    limit = iid_distance(0.6, SHAPE)
    _, chosen, group = _chosen(variant="cap", threshold_quantile=0.6)
    assert _least(chosen) >= limit
    assert ("relaxed", 0, 0.0) in group.activity
    assert ("threshold", 0, limit) in group.activity


def test_an_impossible_cap_is_relaxed_by_one_per_cent_and_says_so() -> None:
    _, chosen, group = _chosen(3, variant="cap", threshold=40.0, max_tries=5)
    log = {name: value for name, _, value in group.activity}
    assert log["relaxed"] >= 1
    assert log["threshold"] == pytest.approx(40.0 * 0.99 ** log["relaxed"], rel=1e-9)
    assert _least(chosen) >= log["threshold"]
    assert log["tries"] > 5


def test_best_of_more_draws_is_farther() -> None:
    """Greedy max-min with nested candidates: the second item's distance never falls with the budget."""
    found = [_least(_chosen(2, variant="max_real", tries=m)[1]) for m in (1, 4, 16, 64)]
    assert found == sorted(found)
    assert found[-1] > found[0]


def test_greedy_max_min_takes_the_farthest_draw() -> None:
    noise, chosen, group = _chosen(2, variant="max_real", tries=10)
    draws = [noise[1], *(group.normal(SHAPE, 1, "candidate", k) for k in range(1, 10))]
    best = max(draws, key=lambda z: float((z - noise[0]).norm()))
    assert torch.equal(chosen[1], best)


def test_the_pooled_variant_measures_block_means() -> None:
    noise, chosen, group = _chosen(2, variant="max_pool", tries=10, pool=4)
    draws = [noise[1], *(group.normal(SHAPE, 1, "candidate", k) for k in range(1, 10))]
    best = max(draws, key=lambda z: float((pool(z[None], 4) - pool(noise[:1], 4)).norm()))
    assert torch.equal(chosen[1], best)


def test_the_raw_gain_is_norm_inflation() -> None:
    """Best of 101 on 4×64×64, B = 50, as computed in generation.md: norm 128.0 → 129.41, distance 181.02 → 183.10, of
    which 181.10 remains at equal norm. Tolerances are three standard errors of means over 50 items and 1225 pairs."""
    noise, chosen, _ = _chosen(50, (4, 64, 64), variant="max_real", tries=101)
    flat = chosen.flatten(1)
    norm = flat.norm(dim=1, keepdim=True)
    distance = lambda z: float(torch.nn.functional.pdist(z).mean())  # noqa: E731
    assert float(norm.mean()) == pytest.approx(129.41, abs=0.3)
    assert distance(flat) == pytest.approx(183.10, abs=0.4)
    assert distance(flat * 128.0 / norm) == pytest.approx(181.10, abs=0.1)
    assert distance(noise.flatten(1)) == pytest.approx(181.02, abs=0.5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_matching_keeps_every_norm_of_the_first_draw(variant: str) -> None:
    noise, chosen, _ = _chosen(variant=variant, tries=9, norm="match", threshold_quantile=0.6)
    assert torch.allclose(chosen.flatten(1).norm(dim=1), noise.flatten(1).norm(dim=1), rtol=1e-6)


def test_dispersion_spreads_directions_and_counts_its_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the draws in the greedy pass, the rest in the replacement pass, each drawn once."""
    drawn: list[tuple[int, int]] = []
    real = keys.normal

    def spy(shape: Any, seed: int, purpose: Any, *indices: Any) -> torch.Tensor:
        if purpose == "method":
            drawn.append((indices[1], indices[3]))
        return real(shape, seed, purpose, *indices)

    monkeypatch.setattr(keys, "normal", spy)
    noise, chosen, _ = _chosen(4, variant="dispersion", tries=10, norm="match")
    assert len(drawn) == len(set(drawn))
    assert max(k for _, k in drawn) == 9

    def least_angle(z: torch.Tensor) -> float:
        flat = z.flatten(1).double()
        return _least(flat / flat.norm(dim=1, keepdim=True))

    assert least_angle(chosen) > least_angle(noise)


def test_the_replacement_pass_lets_an_item_stay() -> None:
    """With two tries the greedy pass has no draw and the replacement pass one: items 0 … are themselves or number 1."""
    noise, chosen, group = _chosen(8, variant="dispersion", tries=2)
    stayed = [torch.equal(chosen[i], noise[i]) for i in range(8)]
    replaced = [torch.equal(chosen[i], group.normal(SHAPE, i, "candidate", 1)) for i in range(8)]
    assert all(a != b for a, b in zip(stayed, replaced, strict=True))
    assert 0 < sum(replaced) < 8


# --- geometry -----------------------------------------------------------------------------------------------------


def test_official_thresholds_are_the_stated_quantiles() -> None:
    """182: .837 and 3.1 pooled: .985 on 4×64×64; mean distance 181.0, pooled 2.826 (computed in generation.md)."""
    assert iid_distance(0.837, (4, 64, 64)) == pytest.approx(182.0, abs=0.02)
    assert iid_distance(0.985, (4, 64, 64), 8) == pytest.approx(3.1, abs=0.005)
    assert iid_distance(0.5, (4, 64, 64)) == pytest.approx(181.017, abs=0.05)
    assert iid_distance(0.5, (4, 64, 64), 8) == pytest.approx(2.826, abs=0.01)


def test_the_closed_form_is_the_distance_of_drawn_noises() -> None:
    z = _noise(400)
    for block in (1, 2, 4):
        distances = (pool(z[::2], block) - pool(z[1::2], block)).flatten(1).norm(dim=1)
        share = float((distances < iid_distance(0.7, SHAPE, block)).float().mean())
        assert share == pytest.approx(0.7, abs=0.1)


def test_blocks_that_do_not_tile_the_latent_are_an_error() -> None:
    with pytest.raises(ValueError, match="3×3 cells do not tile a latent of 8×8"):
        _chosen(variant="max_pool", pool=3)


def test_blur_rows_are_weights_and_a_constant_stays() -> None:
    for size, sigma in ((8, 0.7), (8, 3.0), (64, 24.0)):
        matrix = blur_matrix(size, sigma)
        assert torch.allclose(matrix.sum(1), torch.ones(size, dtype=torch.float64))
        assert torch.allclose(matrix, matrix.flip(0, 1))
    z = torch.full((1, 2, 8, 8), 3.0, dtype=torch.float64)
    assert torch.allclose(blur(z, 2.0), z)


def test_blur_equals_a_reference_filter_on_height_and_width_only() -> None:
    from scipy.ndimage import gaussian_filter

    z = _noise(2).double()
    expected = gaussian_filter(z.numpy(), sigma=(0, 0, 2.0, 2.0), mode="reflect", truncate=4.0)
    assert torch.allclose(blur(z, 2.0), torch.from_numpy(expected), atol=1e-12)


# --- the control --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("match", ["norm", "spectrum"])
@pytest.mark.parametrize("variant", ["max_real", "max_pool"])
def test_the_control_has_the_norms_of_the_method_and_its_own_directions(match: str, variant: str) -> None:
    noise = _noise(6).clone()
    options: dict[str, Any] = {"variant": variant, "tries": 9, "pool": 4}
    target = DiverseDiffusion(**options).initial_noise(noise, _group(6))
    control = NormMatchedNoise(**options, match=match).initial_noise(noise, _group(6))
    size = lambda z: z.flatten(1).double().norm(dim=1)  # noqa: E731
    assert torch.allclose(size(control), size(target), rtol=1e-6)
    low = size(block_mean(control.double(), 4)), size(block_mean(target.double(), 4))
    assert torch.allclose(*low, rtol=1e-6) == (match == "spectrum")
    changed = (target != noise).flatten(1).any(1)
    assert changed.any()
    assert torch.equal(control[~changed], noise[~changed])
    along = (control * noise).flatten(1).sum(1) / (size(control) * size(noise)).float()
    assert float(along.min()) > (0.999999 if match == "norm" else 0.9)  # the first draw's direction, not the chosen one


def test_the_control_of_one_try_is_the_shared_noise() -> None:
    noise = _noise(3)
    assert NormMatchedNoise(tries=1, match="spectrum").initial_noise(noise, _group(3)) is noise


def test_block_means_are_a_projector() -> None:
    z = _noise(2).double()
    low = block_mean(z, 4)
    assert torch.allclose(block_mean(low, 4), low)
    assert float((low * (z - low)).sum().abs()) < 1e-9
    assert math.isclose(float((z**2).sum()), float((low**2).sum() + ((z - low) ** 2).sum()), rel_tol=1e-12)
