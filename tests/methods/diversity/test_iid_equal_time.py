"""More independent samples, a far subset kept: the subset, the seats, the budget (generation.md section 6.1)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness import keys
from harness.methods.diversity.iid_equal_time import IidEqualTime
from harness.methods.diversity.spread import distances
from harness.methods.diversity.subsets import farthest_points, least, seated
from harness.methods.method import Group
from harness.models.diffusion.loop import sample, with_candidates
from harness.models.diffusion.stage import LoopStage
from harness.models.feature_spaces import FeatureSpace


def _apart(count: int, seed: int) -> torch.Tensor:
    x = torch.from_numpy(keys.generator(seed, "world", "points").standard_normal((count, 2)))
    return distances(x, x)


@given(st.integers(0, 100), st.integers(2, 5))
def test_greedy_farthest_points_are_within_a_factor_two_of_the_best_subset(seed: int, k: int) -> None:
    """The known bound of the greedy max-min subset, against all subsets of 9 points."""
    apart = _apart(9, seed)
    found = farthest_points(apart, k)
    assert len(set(found)) == k
    best = max(least(apart, list(c)) for c in combinations(range(9), k))
    assert least(apart, found) >= best / 2
    if k == 2:
        assert least(apart, found) == best


def test_points_on_a_line_by_hand() -> None:
    x = torch.tensor([[0.0], [1.0], [4.0], [9.0], [10.0]], dtype=torch.float64)
    assert farthest_points(distances(x, x), 3) == [0, 4, 2]
    assert farthest_points(distances(x, x), 1) == [0]
    assert sorted(farthest_points(torch.zeros(4, 4, dtype=torch.float64), 3)) == [0, 1, 2]


def test_a_kept_base_sample_stays_its_items() -> None:
    assert seated([1, 3, 7, 9], (10, 11, 12, 13)) == [7, 1, 9, 3]
    assert seated([0, 1, 2], (5, 6, 7)) == [0, 1, 2]
    assert seated([3, 4, 5], (7, 6, 5)) == [3, 4, 5]
    assert seated([1, 3, 4], (7, 6, 5)) == [3, 1, 4]  # sample 5 before 7, of gaps and of candidates


@pytest.mark.parametrize(
    ("size", "factor", "count"), [(8, 1.5, 12), (4, 2.5, 10), (10, 1.1, 11), (3, 1.5, 4), (4, 1.0, 4), (2, 1.4, 2)]
)
def test_the_budget_is_a_count_and_never_more_than_asked(size: int, factor: float, count: int) -> None:
    group = Group(0, 0, "hat", 0, tuple(range(size)))
    view = with_candidates(group, factor)
    assert len(view) == count
    assert view.samples == tuple(j % size for j in range(count))
    assert (view is group) == (count == size)


def _run(toy: Any, groups: list[Group], stage: Any = None, **options: Any) -> Any:
    method = IidEqualTime(**options)
    return sample(toy, method if stage is None else method.prepare(stage), groups, seed=7)


def test_calls_are_those_of_the_candidates(toy: Any, make_groups: Callable[..., Any]) -> None:
    model = toy()
    base, more = _run(model, make_groups(), factor=1.0), _run(model, make_groups(), factor=1.5)
    assert more.calls["conditional"] == 1.5 * base.calls["conditional"]
    assert more.calls["decoder"] == base.calls["decoder"]  # only kept samples are decoded
    assert len(more.images) == len(base.images)


def test_the_subset_is_farther_apart_and_made_of_independent_samples(toy: Any, make_groups: Callable[..., Any]) -> None:
    base, more = _run(toy(), make_groups(), factor=1.0), _run(toy(), make_groups(), factor=4.0)
    spread = [
        min(float(torch.nn.functional.pdist(torch.from_numpy(s.latents[i : i + 4])).min()) for i in (0, 4))
        for s in (base, more)
    ]
    assert spread[1] > spread[0]
    for group in (0, 1):
        log = {name: value for _, g, name, _, value in more.activity if g == 0 and name == "replaced"}
        assert 0 <= log["replaced"] <= 1
        kept = [
            any(np.array_equal(more.latents[i], base.latents[j]) for j in range(len(base.latents)))
            for i in range(4 * group, 4 * group + 4)
        ]
        for i in np.flatnonzero(kept):  # a base sample that was kept is at its own place
            assert np.array_equal(more.latents[4 * group + i], base.latents[4 * group + i])


def test_a_random_subset_pays_and_does_not_look(toy: Any) -> None:
    """Every candidate is kept equally often: 400 groups, share of base samples kept .5 within four standard errors."""
    method, kept = IidEqualTime(factor=2.0, space="random"), []
    for index in range(400):
        group = with_candidates(Group(7, 0, "hat", index, (0, 1, 2, 3)), 2.0)
        chosen = method.select(torch.zeros(8, 2, 4, 4), group)
        assert len(set(chosen)) == 4
        kept += [i < 4 for i in chosen]
    assert np.mean(kept) == pytest.approx(0.5, abs=4 * 0.5 / 40)
    model, group = toy(), Group(7, 0, "hat", 0, (0, 1, 2, 3))
    first, second = (_run(model, [group], factor=2.0, space="random") for _ in range(2))
    assert np.array_equal(first.latents, second.latents)


def test_distances_may_be_taken_in_a_networks_features(toy: Any) -> None:
    """A network that sees one pixel only: the kept samples are the farthest in that pixel."""
    spaces = {"pixel": lambda: FeatureSpace("pixel", "", lambda _: lambda images: images[:, 0, :1, 0])}
    model = toy()
    stage = LoopStage(model, ("hat",), lambda _: None, spaces=spaces)  # type: ignore[arg-type, return-value]
    group = Group(7, 0, "hat", 0, (0, 1))
    found = _run(model, [group], stage, factor=4.0, space="pixel")
    sample(model, KeepAll(), [Group(7, 0, "hat", 0, (0, 1))], seed=7)
    shown = torch.from_numpy(found.latents).view(2, 2, 4, 4)[:, 0, 0, 0]
    assert found.calls["extractor"] == 8
    assert found.calls["decoder"] == 8 + 2
    assert float((shown[0] - shown[1]).abs()) == pytest.approx(float(KeepAll.seen.max() - KeepAll.seen.min()), rel=1e-6)


class KeepAll(IidEqualTime):
    """Looks at all candidates and keeps the first two."""

    seen: Any = None

    def __init__(self) -> None:
        super().__init__(factor=4.0)

    def select(self, x0: torch.Tensor, group: Group) -> list[int]:
        KeepAll.seen = x0[:, 0, 0, 0]
        return [0, 1]


def test_features_that_were_not_opened_are_an_error() -> None:
    group = with_candidates(Group(7, 0, "hat", 0, (0, 1)), 2.0)
    with pytest.raises(ValueError, match="not prepared: the features 'avatars'"):
        IidEqualTime(space="avatars").select(torch.zeros(4, 2, 4, 4), group)
