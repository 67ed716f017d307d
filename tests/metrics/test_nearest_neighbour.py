from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.keys import generator
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus
from harness.metrics.nearest_neighbour import Against, NeighbourMedian, NeighbourRatio, Normalize, copying_ratio
from harness.stats.units import UnitKind

MakeItems = Callable[..., Items]


def space(make_items: MakeItems, generated: np.ndarray, reference: np.ndarray, role: str = "reference") -> Evidence:
    features = {("generated", "latent"): generated, (role, "latent"): reference}
    return Evidence(make_items(len(generated), 1, 1), features=features)


def test_the_median_is_the_median_of_nearest_distances(make_items: MakeItems) -> None:
    generated = np.array([[0.0, 0], [0, 2], [0, 10]])
    evidence = space(make_items, generated, np.array([[0.0, 0], [0, 1]]))
    measurement = NeighbourMedian("latent").measure(evidence)
    assert measurement.value == 1.0
    assert measurement.items is not None
    assert measurement.items[2].tolist() == [0, 1, 9]
    assert measurement.units is not None
    assert measurement.units.kind is UnitKind.REPLICATES
    assert len(measurement.units.value) == 500


def test_replicates_are_the_same_draws_for_every_method(make_items: MakeItems) -> None:
    generated = generator(0, "world", "g").normal(size=(30, 4))
    reference = generator(0, "world", "r").normal(size=(20, 4))
    first = NeighbourMedian("latent").measure(space(make_items, generated, reference)).units
    # Another method, whose every distance is twice as large: each replicate is twice as large.
    second = NeighbourMedian("latent").measure(space(make_items, 2 * generated, 2 * reference)).units
    assert first is not None
    assert second is not None
    assert second.value == pytest.approx(2 * first.value)


def test_the_copying_ratio_is_small_for_copies_and_of_order_one_for_new_items() -> None:
    reference = generator(0, "world", "r").normal(size=(60, 5))
    near = reference[:10] + 1e-3 * generator(0, "world", "e").normal(size=(10, 5))
    new = generator(0, "world", "n").normal(size=(200, 5))
    assert copying_ratio(near, reference).max() < 0.05
    assert 0.5 < np.median(copying_ratio(new, reference)) < 2


def test_the_ratio_divides_by_the_spacing_of_the_nearest_reference_item() -> None:
    reference = np.array([[0.0, 0], [4, 0], [20, 0]])
    assert copying_ratio(np.array([[1.0, 0], [21, 0]]), reference) == pytest.approx([1 / 4, 1 / 16])


def test_a_duplicated_reference_gives_zero_for_a_copy_and_infinity_beside_it() -> None:
    reference = np.array([[0.0, 0], [0, 0], [5, 0]])
    assert copying_ratio(np.array([[0.0, 0], [1, 0]]), reference).tolist() == [0, np.inf]


def test_an_infinite_median_is_undefined(make_items: MakeItems) -> None:
    evidence = space(make_items, np.array([[1.0, 0], [2, 0]]), np.array([[0.0, 0], [0, 0]]))
    with pytest.raises(CannotMeasure, match="2 of 2 items lie nearest to a duplicated") as caught:
        NeighbourRatio("latent").measure(evidence)
    assert caught.value.status is ScoreStatus.UNDEFINED


def test_normalisation_is_applied_to_both_sides(make_items: MakeItems) -> None:
    directions = generator(0, "world", "d").normal(size=(8, 3))
    evidence = space(make_items, 7 * directions, directions)
    assert NeighbourMedian("latent", normalize=Normalize.UNIT).measure(evidence).value == pytest.approx(0, abs=1e-12)
    assert NeighbourMedian("latent").measure(evidence).value > 1


def test_the_reference_is_the_role_that_was_named(make_items: MakeItems) -> None:
    evidence = space(make_items, np.ones((2, 2)), np.zeros((3, 2)), role="protected")
    assert NeighbourMedian("latent", against=Against.PROTECTED).measure(evidence).value == pytest.approx(np.sqrt(2))
    with pytest.raises(CannotMeasure, match="reference features"):
        NeighbourMedian("latent").measure(evidence)


def test_features_of_unequal_length_are_no_space(make_items: MakeItems) -> None:
    with pytest.raises(CannotMeasure, match="2 numbers for generated, 3 for reference") as caught:
        NeighbourMedian("latent").measure(space(make_items, np.ones((2, 2)), np.zeros((3, 3))))
    assert caught.value.status is ScoreStatus.PROTOCOL_MISMATCH
