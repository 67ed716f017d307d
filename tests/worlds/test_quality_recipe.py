"""Planted damages and how the quality scorers learn them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.keys import generator
from harness.worlds.avatars.attributes import sample
from harness.worlds.avatars.draw import render
from harness.worlds.recipes import avatars_quality_a, avatars_quality_b, quality
from harness.worlds.recipes.augment import batch_of
from harness.worlds.recipes.degradations import DAMAGES, damage


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return render(sample(64, 815))


@pytest.fixture(scope="module")
def pictures(images: np.ndarray) -> torch.Tensor:
    return batch_of(images, np.arange(16), torch.device("cpu"))


@pytest.mark.parametrize("name", DAMAGES)
def test_severity_is_the_size_of_the_damage(name: str, pictures: torch.Tensor) -> None:
    before = pictures.clone()
    moved = []
    for severity in (0.0, 0.3, 1.0):
        made = damage(name, pictures, torch.full((16,), severity), generator(1, "world", name))
        assert made.shape == pictures.shape
        assert made.dtype == torch.float32
        assert 0 <= float(made.min()) <= float(made.max()) <= 1
        assert torch.equal((made * 255).round() / 255, made)
        moved.append(float((made - pictures).square().mean().sqrt()))
    assert moved[0] <= 1 / 255
    assert 0.01 < moved[1] < moved[2]
    assert torch.equal(pictures, before)  # what was given is left as it was


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_is_drawn_from_its_key(name: str, pictures: torch.Tensor) -> None:
    severity = torch.linspace(0.2, 1, 16)
    first, again = (damage(name, pictures, severity, generator(1, "world", name)) for _ in range(2))
    assert torch.equal(first, again)


def test_pictures_of_one_batch_have_severities_of_their_own(pictures: torch.Tensor) -> None:
    severity = torch.tensor([0.0, 1.0] * 8)
    for name in DAMAGES:
        made = damage(name, pictures, severity, generator(2, "world", name))
        moved = (made - pictures).square().mean((1, 2, 3)).sqrt()
        assert float(moved[::2].max()) <= 1 / 255, name
        assert float(moved[1::2].min()) > 1 / 255, name


def test_quality_is_what_the_damages_left(images: np.ndarray) -> None:
    clean = batch_of(images, np.arange(64), torch.device("cpu"))
    made, wanted = quality.batch(clean, ("blur", "noise"), generator(4, "world"))
    assert made.shape == clean.shape
    assert float(wanted.min()) >= 0
    assert float(wanted.max()) == 1
    whole = wanted == 1
    assert 0.05 < float(whole.float().mean()) < 0.4
    assert torch.equal(made[whole], clean[whole])
    moved = (made - clean).square().mean((1, 2, 3))
    assert float(moved[~whole].median()) > 1e-4
    assert quality.spearman(moved.numpy(), -wanted.numpy()) > 0.7


@pytest.mark.parametrize("recipe", [avatars_quality_a.RECIPE, avatars_quality_b.RECIPE], ids=lambda r: r.architecture)
def test_a_few_steps_learn_and_repeat_exactly(recipe: quality.QualityRecipe, images: np.ndarray) -> None:
    short = replace(recipe, damages=("noise", "jpeg"), batch=16)
    first, again = (quality.train(images, short, 40) for _ in range(2))
    clean = batch_of(images, np.arange(64), torch.device("cpu"))
    ruined = damage("noise", clean, torch.ones(64), generator(6, "world"))
    a, b = quality.scores(first, clean), quality.scores(first, ruined)
    assert a.mean() > b.mean() + 0.03
    assert (quality.scores(again, clean) == a).all()
