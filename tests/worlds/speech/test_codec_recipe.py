"""The recipe of commands-codec: keyed batches, a codebook of running means, and a loss that falls."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.models.speech.vq_codec import VqCodec
from harness.worlds.recipes import commands_codec as recipe


@pytest.fixture(scope="module")
def mels() -> list[torch.Tensor]:
    return recipe.spectrograms(0, 6)


def test_batches_come_from_their_step_alone(mels: list[torch.Tensor]) -> None:
    first, again, other = (recipe.crops(mels, step) for step in (3, 3, 4))
    assert first.shape == (recipe.BATCH, recipe.FRAMES.bands, recipe.CROP)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_short_utterance_is_repeated_to_length() -> None:
    short = torch.arange(10.0).expand(recipe.FRAMES.bands, 10)
    piece = recipe.crops([short], 0)[0, 0]
    assert torch.equal(piece.diff() % 10, torch.ones(recipe.CROP - 1))


def test_codes_follow_the_means_of_what_they_stand_for_and_idle_ones_are_drawn_again() -> None:
    model = VqCodec(recipe.FRAMES, codes=3, dimension=2)
    means, g = recipe.RunningMeans(model), np.random.default_rng(0)
    rows = torch.tensor([[5.0, 5.0], [-5.0, -5.0]]).repeat(20, 1)
    means.start(rows, g)
    for _ in range(300):
        means.update(rows, model.quantiser.codes_of(rows.T[None])[0], g)
    error = (model.quantiser.vectors_of(model.quantiser.codes_of(rows.T[None]))[0].T - rows).abs().max()
    assert float(error) < 0.1


def test_a_few_steps_learn_and_leave_the_global_generator_alone(mels: list[torch.Tensor]) -> None:
    before = torch.get_rng_state()
    model = recipe.train(mels, 40, 8)
    assert torch.equal(torch.get_rng_state(), before)
    measured = recipe.measure(model, mels)
    assert measured["error_over_variance"] < 0.9  # 1 is the mean of everything
    assert 0 < measured["entropy_bits_per_code"] <= 3
    assert measured["bits_per_second"] == 60.0
    same = recipe.train(mels, 40, 8)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), same.parameters(), strict=True))
