"""The recipe of avatars-gan: both phases move what they should, adversaries look only through what is frozen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.keys import generator
from harness.models import zoo
from harness.models.features import FeatureExtractor
from harness.worlds.avatars.attributes import sample
from harness.worlds.avatars.draw import render
from harness.worlds.recipes import avatars_gan
from harness.worlds.recipes.adversary import Heads, Pixels, augment, slope


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return render(sample(64, 816))


def pictures(n: int) -> torch.Tensor:
    return torch.from_numpy(generator(7, "world").random((n, 3, 64, 64), dtype=np.float32))


def test_all_phases_learn_and_repeat_exactly(images: np.ndarray) -> None:
    kept = []
    for _ in range(2):
        trainer = avatars_gan.Trainer(images)
        start = {k: v.clone() for k, v in trainer.generator.state_dict().items()}
        real = trainer.real(generator(0, "world"), 48)
        mean, _ = trainer.encoder(real)
        before = float(trainer.redrawing(trainer.generator(mean), real, sharp=1.0).detach())
        assert trainer.code(avatars_gan.Coding(steps=4)) == 4
        mean, _ = trainer.encoder(real)
        assert float(trainer.redrawing(trainer.generator(mean), real, sharp=1.0).detach()) < before
        present = dict(trainer.generator.named_parameters())
        assert all(torch.equal(kept, present[name]) for name, kept in trainer.averaged.named_parameters())
        for contest in avatars_gan.CONTESTS:
            steps: list[int] = []
            assert trainer.compete(replace(contest, steps=2, r1_every=2), steps.append) == 2
            assert steps[-1] == 2
        assert not torch.equal(start["head.weight"], trainer.averaged.head.weight)
        kept.append(avatars_gan.samples(trainer.averaged, 4))
    assert kept[0].shape == (4, 64, 64, 3)
    assert (kept[0] == kept[1]).all()


def test_no_time_means_no_steps(images: np.ndarray) -> None:
    trainer = avatars_gan.Trainer(images)
    assert trainer.code(replace(avatars_gan.Coding(), seconds=1e-9)) == 0
    assert trainer.compete(replace(avatars_gan.CONTESTS[0], seconds=1e-9), lambda step: None) == 0


def test_the_frozen_network_is_no_part_of_the_heads() -> None:
    contrast = FeatureExtractor.load(zoo.entry("avatars-contrast").directory)
    heads = Heads(contrast)
    frozen = {id(p) for p in contrast.parameters()}
    assert not frozen & {id(p) for p in heads.parameters()}
    x = pictures(4).requires_grad_()
    maps = heads.features(x)
    assert torch.allclose(maps[-1], contrast(x), atol=1e-5)
    assert [tuple(m.shape[2:]) for m in maps[:-1]] == [(16, 16), (8, 8), (4, 4)]
    verdicts = heads(maps)
    assert [v.shape[1] for v in verdicts] == [256, 64, 16, 1]
    (moved,) = torch.autograd.grad(sum(v.mean() for v in verdicts), x)
    assert float(moved.abs().sum()) > 0


def test_a_pixel_verdict_knows_its_group_of_four() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        judge = Pixels(8)
    x = pictures(8)
    apart = judge(x)
    assert apart.shape == (8, 64)
    same = judge(torch.cat([x[:1]] * 4))
    assert torch.allclose(same, same[:1].expand(4, -1), atol=1e-5)
    assert not torch.allclose(apart[0], same[0], atol=1e-5)  # its neighbours differ, so the spread does
    assert torch.allclose(judge(x[:4]), apart[:4], atol=1e-5)


def test_r1_of_a_linear_verdict_is_its_squared_weight() -> None:
    weight = pictures(1)

    class Linear(Pixels):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return (images * weight).sum((1, 2, 3))[:, None]

    assert float(slope(Linear(8), pictures(4))) == pytest.approx(float(weight.square().sum()), rel=1e-5)


def test_augmentation_is_differentiable_and_drawn_from_its_generator() -> None:
    x = pictures(4).requires_grad_()
    for seed in range(4):
        made = augment(x, generator(seed, "world"))
        assert made.shape == x.shape
        assert torch.equal(made, augment(x, generator(seed, "world")))
        (moved,) = torch.autograd.grad(made.sum(), x)
        assert float(moved.abs().sum()) > 0


def test_a_grid_has_the_pictures_in_reading_order() -> None:
    tiles = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    made = avatars_gan.grid(tiles, 2, 3)
    assert made.shape == (4, 6, 3)
    assert made[::2, ::2, 0].tolist() == [[0, 1, 2], [3, 4, 5]]
