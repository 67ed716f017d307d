"""Exact neighbors: float64 results whatever the block, the offset or the ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from harness.metrics.neighbors import Points, inside, nearest, squared_distances


@pytest.mark.parametrize(("n", "d", "k"), [(700, 64, 5), (300, 512, 3), (60, 2, 59), (9, 1, 1)])
def test_distances_are_those_of_scikit_learn_in_float64(n: int, d: int, k: int) -> None:  # T24
    x = np.random.default_rng(0).normal(3.0, 1.0, size=(n, d))
    x[n // 2] = x[0]  # an exact twin
    found, index = nearest(Points.together(x)[0], k)
    truth = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(x).kneighbors(x)[0][:, 1:]
    assert np.sqrt(found) == pytest.approx(truth, abs=1e-6)
    assert found[0, 0] == 0.0
    assert index[0, 0] == n // 2
    assert (index != np.arange(n)[:, None]).all()


def test_an_item_is_at_distance_zero_from_itself() -> None:  # T24; float32 products gave .108
    x = np.random.default_rng(1).normal(3.0, 1.0, size=(500, 2048))
    every = np.arange(500)
    assert (squared_distances(x, x.copy(), every, every) == 0.0).all()


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_results_do_not_depend_on_the_block(offset: float) -> None:  # T24
    rng = np.random.default_rng(2)
    x, y = offset + rng.normal(size=(500, 16)), offset + rng.normal(size=(150, 16))
    balls, others = Points.together(x, y)
    for block in (1, 999, 10**7):
        distance, index = nearest(balls, 5, block)
        pairs = [np.stack(p) for p in inside(balls, distance[:, -1], others, block=block)]
        if block == 1:
            first = (distance, index, np.hstack(pairs))
        assert np.array_equal(distance, first[0])
        assert np.array_equal(index, first[1])
        assert np.array_equal(np.hstack(pairs), first[2])


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 40), st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**31), st.booleans())
def test_points_inside_balls_are_those_of_all_pairs_even_with_ties(
    n: int, m: int, d: int, seed: int, closed: bool
) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(-2, 3, size=(n, d)) * 1.0, rng.integers(-2, 3, size=(m, d)) * 1.0  # a grid: ties everywhere
    k = min(2, n - 1)
    balls, others = Points.together(x, y)
    radius2 = nearest(balls, k)[0][:, -1]
    squared = ((x[:, None] - x[None]) ** 2).sum(-1)
    assert np.array_equal(radius2, np.sort(squared + np.diag(np.full(n, np.inf)), axis=1)[:, k - 1])
    across = ((x[:, None] - y[None]) ** 2).sum(-1)
    truth = across <= radius2[:, None] if closed else across < radius2[:, None]
    found = np.zeros((n, m), dtype=bool)
    for i, j in inside(balls, radius2, others, closed=closed, block=50):
        found[i, j] = True
    assert np.array_equal(found, truth)


@pytest.mark.parametrize("count", [0, 4])
def test_more_neighbors_than_there_are_is_an_error(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} neighbors asked of a set of 4"):
        nearest(Points.together(np.arange(8.0).reshape(4, 2))[0], count)


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e25])
def test_scale_changes_no_neighbor(scale: float) -> None:  # float32 squares would over- or underflow
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(200, 8)), rng.normal(size=(100, 8))
    (a, b), (c, d) = Points.together(x, y), Points.together(scale * x, scale * y)
    (near, who), (scaled, same) = nearest(a, 3), nearest(c, 3)
    assert np.array_equal(who, same)
    assert scaled == pytest.approx(scale**2 * near, rel=1e-9)
    pairs, again = (
        np.hstack([np.stack(p) for p in inside(*case)]) for case in ((a, near[:, -1], b), (c, scaled[:, -1], d))
    )
    assert np.array_equal(pairs, again)
