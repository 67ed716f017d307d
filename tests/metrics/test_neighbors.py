"""Exact neighbors: float64 results whatever the block, the offset or the ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from harness.keys import generator
from harness.metrics import neighbors
from harness.metrics.neighbors import (
    Points,
    inside,
    nearest,
    nearest_among,
    nearest_other,
    nearest_others,
    squared_distances,
)


@pytest.mark.parametrize(("n", "d", "k"), [(700, 64, 5), (300, 512, 3), (60, 2, 59), (9, 1, 1)])
def test_distances_are_those_of_scikit_learn_in_float64(n: int, d: int, k: int) -> None:  # T24
    x = np.random.default_rng(0).normal(3.0, 1.0, size=(n, d))
    x[n // 2] = x[0]  # an exact twin
    found, index = nearest_others(Points.together(x)[0], k)
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
    for block in (400, 999, 10**7):
        distance, index = nearest_others(balls, 5, block)
        pairs = [np.stack(p) for p in inside(balls, distance[:, -1], others, block=block)]
        if block == 400:
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
    radius2 = nearest_others(balls, k)[0][:, -1]
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
        nearest_others(Points.together(np.arange(8.0).reshape(4, 2))[0], count)


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e25])
def test_scale_changes_no_neighbor(scale: float) -> None:  # float32 squares would over- or underflow
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(200, 8)), rng.normal(size=(100, 8))
    (a, b), (c, d) = Points.together(x, y), Points.together(scale * x, scale * y)
    (near, who), (scaled, same) = nearest_others(a, 3), nearest_others(c, 3)
    assert np.array_equal(who, same)
    assert scaled == pytest.approx(scale**2 * near, rel=1e-9)
    pairs, again = (
        np.hstack([np.stack(p) for p in inside(*case)]) for case in ((a, near[:, -1], b), (c, scaled[:, -1], d))
    )
    assert np.array_equal(pairs, again)


def drawn(*shape: int, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    return (generator(seed, "world", "points").normal(size=shape) + shift).astype(np.float32)


def direct(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sqrt(((a[:, None].astype(np.float64) - b[None]) ** 2).sum(axis=2))


def test_a_point_of_the_set_is_at_distance_zero_exactly() -> None:
    points = drawn(300, 2048, shift=3.0)  # where |a|² + |b|² - 2ab in float32 gives .1
    found = nearest(points, points)
    assert (found.distance == 0).all()
    assert found.index.tolist() == list(range(300))


def test_distances_equal_the_direct_float64_ones() -> None:
    points, references = drawn(70, 33, shift=100.0), drawn(90, 33, shift=100.0, seed=1)
    table = direct(points, references)
    found = nearest(points, references)
    assert found.distance == pytest.approx(table.min(axis=1), rel=1e-13)
    assert found.index.tolist() == table.argmin(axis=1).tolist()


@pytest.mark.parametrize("block", [1, 7, 640, 10000])
def test_the_block_size_changes_no_byte(block: int) -> None:
    points, references = drawn(101, 20), drawn(77, 20, seed=1)
    whole, blocked = nearest(points, references), nearest(points, references, block=block)
    assert blocked.distance.tobytes() == whole.distance.tobytes()
    assert blocked.index.tobytes() == whole.index.tobytes()


def test_a_near_tie_is_decided_in_float64() -> None:
    # Two references at 1 and 1 - 1e-12 from the point, in opposite directions: a float32 product sees a tie.
    references = np.array([[1.0, 0.0], [-(1.0 - 1e-12), 0.0]])
    found = nearest(np.zeros((1, 2)), references)
    assert found.index.tolist() == [1]
    assert found.distance[0] < 1.0


def test_of_equal_distances_the_lowest_row_is_named() -> None:
    references = np.array([[2.0, 0], [0, 1.0], [1.0, 0], [0, -1.0]])
    assert nearest(np.zeros((1, 2)), references).index.tolist() == [1]


def test_oneself_is_left_out_by_number_and_a_duplicate_is_not() -> None:
    references = np.array([[0.0, 0], [0, 0], [3, 4]])
    found = nearest_other(references)
    assert found.index.tolist() == [1, 0, 0]
    assert found.distance.tolist() == [0, 0, 5]


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 90))
def test_order_and_a_common_shift_change_nothing(seed: int, n: int, block: int) -> None:
    points, references = drawn(n, 3, seed=seed), drawn(10, 3, seed=seed + 1)
    order = generator(seed, "world", "order").permutation(10)
    first = nearest(points, references)
    second = nearest(points, references[order], block=block)
    assert second.distance.tobytes() == first.distance.tobytes()
    moved = nearest(points.astype(np.float64) + 1e4, references.astype(np.float64) + 1e4)
    assert moved.distance == pytest.approx(first.distance, abs=1e-9)


def test_many_equal_candidates_are_settled_within_the_memory_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "_ELEMENTS", 16)
    monkeypatch.setattr(neighbors, "CANDIDATES", 100)
    same = np.ones((40, 8), dtype=np.float32)
    assert (nearest(same, same).distance == 0).all()
    distance, index = nearest_others(Points.together(same)[0], 3, block=64)  # 1560 pairs, room for 480
    assert (distance == 0).all()
    assert index[0].tolist() == [1, 2, 3]
    assert index[39].tolist() == [0, 1, 2]


def test_some_rows_have_the_neighbors_that_all_rows_have() -> None:
    x = drawn(300, 9)
    whole = nearest_other(x)
    for rows in (np.array([5, 250]), np.arange(0, 300)[::-1], np.arange(299)):
        found = nearest_other(x, rows)
        assert found.distance.tobytes() == whole.distance[rows].tobytes()
        assert found.index.tolist() == whole.index[rows].tolist()
    points = Points.together(x)[0]
    near, who = nearest_others(points, 7)
    rows = np.array([3, 7, 299])
    again = nearest_among(points.some(rows), points, 7, exclude=rows)
    assert np.array_equal(again[0], near[rows])
    assert np.array_equal(again[1], who[rows])


@pytest.mark.parametrize("width", [1, 3, 64, 700])
def test_a_float32_bound_is_never_above_the_distance(width: int) -> None:
    """Rows of very unequal length, where rounding is worst; the bound is also within twice the slack of it."""
    rng = generator(3, "world", "bound", width)
    x = rng.normal(3.0, 1.0, size=(60, width)) * np.exp(rng.normal(0, 4, size=(60, 1)))
    x[30:] = x[:30] * (1 + 1e-7)
    points = Points.together(x)[0]
    low = points.below(slice(0, 60), points, slice(0, 60)).astype(np.float64)
    i, j = np.divmod(np.arange(3600), 60)
    exact = squared_distances(x, x, i, j).reshape(60, 60) / points.unit**2
    assert (low <= exact).all()
    assert (points.above(low.reshape(-1), i, points, j).reshape(60, 60) >= exact).all()


def test_points_of_another_space_and_an_empty_set_are_refused() -> None:
    with pytest.raises(ValueError, match="one space"):
        nearest(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="no reference"):
        nearest_other(np.zeros((1, 3)))
