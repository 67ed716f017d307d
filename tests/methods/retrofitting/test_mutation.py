"""The discrete mutations against their formulas (generation.md section 1)."""

from __future__ import annotations

import numpy as np
import pytest

from harness.keys import generator
from harness.methods.retrofitting.mutation import Mutation, intensity, lengler, redrawn


def test_the_lengler_schedule_has_its_published_values() -> None:
    asked = (1, 2, 3, 4, 10, 30, 100, 300)
    assert [lengler(16384, t) for t in asked] == [1, 8771, 9267, 8771, 5827, 2869, 1165, 481]


@pytest.mark.parametrize(("d", "expected"), [(2, 1.3333), (16, 1.5530), (512, 1.5811)])
def test_the_discrete_mutation_changes_as_many_coordinates_as_it_should(d: int, expected: float) -> None:
    """1 / (1 - (1 - 1/d)^d) on average; 8000 draws: standard error .009 at most, four of them given."""
    random, zero = generator(0, "search", "test", d), np.zeros(d, dtype=np.float32)
    changed = np.array([(redrawn(zero, 1, random) != 0).sum() for _ in range(8000)])
    assert changed.min() == 1
    assert abs(changed.mean() - expected) < 4 * 0.009


def test_intensities_are_one_the_schedule_or_uniform() -> None:
    random = generator(0, "search", "test")
    assert {intensity(Mutation.DISCRETE, 8, t, random) for t in range(1, 9)} == {1}
    assert intensity(Mutation.LENGLER, 16384, 10, random) == 5827
    drawn = [intensity(Mutation.PORTFOLIO, 8, 1, random) for _ in range(2000)]
    shares = np.bincount(drawn, minlength=9)[1:8] / 2000
    assert set(drawn) == set(range(1, 8))
    assert np.abs(shares - 1 / 7).max() < 0.035  # four and a half standard errors
    assert intensity(Mutation.PORTFOLIO, 1, 1, random) == 1


@pytest.mark.parametrize("u", [1, 30, 99])
def test_what_is_drawn_again_is_standard_normal_whatever_stood_there(u: int) -> None:
    """With another scale than 1 the mutation would leave the prior: the trap of section 2."""
    random, far = generator(0, "search", "test", u), np.full(100, 50, dtype=np.float32)
    fresh = np.concatenate([m[m != 50] for m in (redrawn(far, u, random) for _ in range(3000))])
    assert abs(fresh.mean()) < 4.5 / len(fresh) ** 0.5
    assert abs(fresh.std() - 1) < 4.5 / (2 * len(fresh)) ** 0.5
    assert (far == 50).all()
