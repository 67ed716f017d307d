"""Pairs of opposite noises (generation.md section 6.7)."""

from __future__ import annotations

import pytest
import torch

from harness import keys
from harness.methods.diversity.antithetic import Antithetic
from harness.methods.method import Group


def _paired(count: int, pairs: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    noise = torch.stack([keys.normal((2, 4, 4), 3, "init_noise", 0, i) for i in range(count)])
    return noise, Antithetic(pairs=pairs).initial_noise(noise, Group(3, 0, "hat", 0, tuple(range(count))))


def test_pairs_sum_to_zero_exactly() -> None:
    noise, paired = _paired(6)
    assert torch.equal(paired[:3] + paired[3:], torch.zeros_like(paired[:3]))
    assert torch.equal(paired[:3], noise[:3])


def test_the_last_of_an_odd_group_keeps_its_noise() -> None:
    noise, paired = _paired(5)
    assert torch.equal(paired[[0, 1, 4]], noise[[0, 1, 4]])
    assert torch.equal(paired[[2, 3]], -noise[[0, 1]])


@pytest.mark.parametrize(("count", "pairs"), [(4, 0), (1, None), (1, 3)])
def test_without_a_pair_the_noise_is_the_shared_one(count: int, pairs: int | None) -> None:
    noise, paired = _paired(count, pairs)
    assert paired is noise


def test_norms_are_kept_and_only_the_asked_pairs_change() -> None:
    noise, paired = _paired(8, 2)
    assert (paired != noise).flatten(1).any(1).tolist() == [False] * 4 + [True] * 2 + [False] * 2
    assert torch.equal(paired[4].norm(), noise[0].norm())
