"""Cells, masses, acceptance: the table of generation.md section 4, and parity of k-means with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness import keys
from harness.methods.diversity.cells import (
    acceptance,
    bound,
    cell_of,
    effective_share,
    kmeans,
    lloyd,
    masses,
    rejected,
    resampled,
    started,
)

P, Q = np.array([0.8, 0.2]), np.array([0.5, 0.5])


def _points(count: int, seed: int, width: int = 3) -> torch.Tensor:
    return torch.from_numpy(keys.generator(seed, "world", "points").standard_normal((count, width)))


def test_the_table_of_the_reference() -> None:
    assert bound(P, Q) == pytest.approx(2.5)
    assert acceptance(P, Q) == pytest.approx([0.25, 1.0])
    assert float((P * acceptance(P, Q)).sum()) == pytest.approx(0.4)
    assert (Q / P).tolist() == pytest.approx([0.625, 2.5])
    assert effective_share(P, Q) == pytest.approx(0.64)


def test_rejection_gives_the_target_masses_at_its_price() -> None:
    """100 000 candidates: shares .5 and acceptance .4 within four standard errors."""
    random = keys.generator(0, "world", "rejection")
    cell = (random.random(100_000) > 0.8).astype(int).tolist()
    kept, filled = rejected(cell, acceptance(P, Q), random.random(100_000).tolist(), 30_000)
    assert filled == 0
    assert np.mean([cell[i] for i in kept]) == pytest.approx(0.5, abs=4 * 0.5 / 30_000**0.5)
    used = kept[-1] + 1
    assert 30_000 / used == pytest.approx(0.4, abs=4 * (0.24 / used) ** 0.5)


def test_equal_masses_accept_all_in_input_order() -> None:
    keep = acceptance(P, P)
    assert keep == pytest.approx([1.0, 1.0])
    uniform = keys.generator(0, "world", "u").random(9).tolist()
    assert rejected([0, 1, 0, 0, 1, 0, 1, 1, 0], keep, uniform, 5) == ([0, 1, 2, 3, 4], 0)
    assert resampled([0, 1, 0, 0, 1], P / P, [5.0, 1.0, 0.1, 2.0, 3.0], 3) == [0, 1, 2]


def test_tries_are_capped_and_what_was_turned_down_comes_back_in_order() -> None:
    assert rejected([0, 0, 1, 0], np.array([0.25, 1.0]), [0.9, 0.2, 0.9, 0.3], 3) == ([0, 1, 2], 1)
    assert rejected([0, 0, 0], np.array([0.0, 1.0]), [0.0, 0.0, 0.0], 2) == ([0, 1], 2)


def test_resampling_draws_in_proportion_to_the_weights() -> None:
    """One of (cell 0, cell 1): the first with probability .625/(.625 + 2.5) = .2, within four standard errors."""
    random = keys.generator(0, "world", "races")
    picks = [resampled([0, 1], Q / P, random.standard_exponential(2).tolist(), 1)[0] for _ in range(10_000)]
    assert np.mean([i == 0 for i in picks]) == pytest.approx(0.2, abs=4 * 0.4 / 100)
    assert resampled([0, 1, 1], np.array([0.0, 1.0]), [0.1, 3.0, 2.0], 2) == [1, 2]


def test_an_empty_cell_has_the_floor_or_is_an_error() -> None:
    cell = torch.tensor([0] * 9 + [1])
    assert masses(cell, 2) == pytest.approx([0.9, 0.1])
    assert masses(cell, 3, 0.05) == pytest.approx(np.array([0.9, 0.1, 0.05]) / 1.05)
    assert np.isfinite(acceptance(masses(cell, 3, 0.05), np.full(3, 1 / 3))).all()
    with pytest.raises(ValueError, match="1 of 3 cells are empty in the pool: set a floor"):
        masses(cell, 3)


@given(st.integers(0, 60), st.integers(1, 5))
def test_lloyd_is_that_of_scikit_learn(seed: int, k: int) -> None:
    from sklearn.cluster import KMeans

    points = _points(30, seed)
    start = started(points, k, keys.generator(seed, "world", "start"))
    theirs = KMeans(k, init=start.numpy(), n_init=1, algorithm="lloyd", tol=0.0, max_iter=300).fit(points.numpy())
    ours = lloyd(points, start)
    assert np.allclose(ours.numpy(), theirs.cluster_centers_, atol=1e-9)
    assert cell_of(points, ours).tolist() == theirs.labels_.tolist()


def test_restarts_find_separate_clouds() -> None:
    centres = 20.0 * torch.eye(5, dtype=torch.float64)
    points = torch.cat([c + 0.1 * _points(10, i, 5) for i, c in enumerate(centres)])
    cell = cell_of(points, kmeans(points, 5, keys.generator(0, "world", "fit"))).view(5, 10)
    assert (cell == cell[:, :1]).all()
    assert len(cell[:, 0].unique()) == 5


def test_coincident_points_and_too_few_points() -> None:
    points = torch.zeros(6, 2, dtype=torch.float64)
    assert torch.equal(kmeans(points, 3, keys.generator(0, "world", "fit")), torch.zeros(3, 2, dtype=torch.float64))
    with pytest.raises(ValueError, match="7 cells of 6 points: give a larger pool or fewer cells"):
        kmeans(points, 7, keys.generator(0, "world", "fit"))


@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6), st.data())
def test_acceptance_times_pool_is_the_target(raw: list[float], data: st.DataObject) -> None:
    p = np.array(raw) / sum(raw)
    other = data.draw(st.lists(st.floats(0.01, 1.0), min_size=len(raw), max_size=len(raw)))
    q = np.array(other) / sum(other)
    keep = acceptance(p, q)
    assert keep.max() == 1.0
    assert (p * keep / (p * keep).sum()) == pytest.approx(q)
    assert (p * keep).sum() == pytest.approx(1 / bound(p, q))
    assert 0 < effective_share(p, q) <= 1 + 1e-12
