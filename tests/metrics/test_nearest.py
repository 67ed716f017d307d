from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.keys import generator
from harness.metrics.nearest import nearest, nearest_other, pair_distances


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


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
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
@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 9))
def test_order_and_a_common_shift_change_nothing(seed: int, n: int, block: int) -> None:
    points, references = drawn(n, 3, seed=seed), drawn(10, 3, seed=seed + 1)
    order = generator(seed, "world", "order").permutation(10)
    first = nearest(points, references)
    second = nearest(points, references[order], block=block)
    assert second.distance.tobytes() == first.distance.tobytes()
    moved = nearest(points.astype(np.float64) + 1e4, references.astype(np.float64) + 1e4)
    assert moved.distance == pytest.approx(first.distance, abs=1e-9)


def test_many_equal_candidates_stay_within_the_memory_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.metrics.nearest._ELEMENTS", 16)
    same = np.ones((40, 8), dtype=np.float32)
    assert (nearest(same, same).distance == 0).all()
    i, j = np.arange(5), np.arange(5)[::-1]
    assert pair_distances(drawn(5, 8), drawn(5, 8, seed=1), i, j) == pytest.approx(
        np.diag(direct(drawn(5, 8), drawn(5, 8, seed=1))[:, ::-1])
    )


def test_points_of_another_space_and_an_empty_set_are_refused() -> None:
    with pytest.raises(ValueError, match="one space"):
        nearest(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="no reference"):
        nearest_other(np.zeros((1, 3)))
