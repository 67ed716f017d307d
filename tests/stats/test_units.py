"""Units: what is paired, and what a mean over seeds is made of."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.intervals import interval
from harness.stats.paired import paired_difference
from harness.stats.units import CannotInfer, Estimator, UnitKind, Units, over_seeds


def units(kind: UnitKind, value, start: int = 0) -> Units:
    key = np.array([f"{i + start:03d}" for i in range(len(value))])
    return Units(kind, key, key, np.asarray(value, dtype=np.float64))


def test_items_of_all_seeds_share_their_clusters() -> None:
    rng = np.random.default_rng(0)
    cells = [units(UnitKind.ITEMS, rng.normal(size=8)) for _ in range(3)]
    pooled = over_seeds(["0", "1", "2"], cells)
    assert len(pooled.key) == 24
    assert pooled.key[8] == "1/000"
    assert pooled.value.mean() == pytest.approx(np.mean([c.value.mean() for c in cells]))
    assert interval(Estimator.MEAN, pooled).method == "t(clusters=8)"  # more seeds are not more prompts


@pytest.mark.parametrize("kind", [UnitKind.PSEUDO, UnitKind.REPLICATES])
def test_pseudo_values_and_replicates_are_averaged_key_by_key(kind: UnitKind) -> None:
    cells = [units(kind, np.arange(10.0) + s) for s in (0, 2)]
    pooled = over_seeds(["0", "1"], cells)
    assert pooled.value == pytest.approx(np.arange(10.0) + 1)
    assert np.array_equal(pooled.key, cells[0].key)


def test_difference_of_means_over_seeds_is_the_mean_of_differences() -> None:
    rng = np.random.default_rng(1)
    a, b = ([units(UnitKind.PSEUDO, rng.normal(size=10)) for _ in range(3)] for _ in range(2))
    seeds = ["0", "1", "2"]
    found = paired_difference(Estimator.PLUG_IN, over_seeds(seeds, a), over_seeds(seeds, b))
    assert found.delta == pytest.approx(np.mean([x.value.mean() - y.value.mean() for x, y in zip(a, b, strict=True)]))


def test_what_cannot_be_aggregated_says_why() -> None:
    pseudo = units(UnitKind.PSEUDO, np.arange(10.0))
    with pytest.raises(CannotInfer, match="cut into different groups"):
        over_seeds(["0", "1"], [pseudo, units(UnitKind.PSEUDO, np.arange(10.0), start=1)])
    with pytest.raises(CannotInfer, match="different kinds"):
        over_seeds(["0", "1"], [pseudo, units(UnitKind.ITEMS, np.arange(10.0))])


def test_ambiguous_units_are_refused() -> None:
    with pytest.raises(ValueError, match="keys repeat"):
        Units(UnitKind.ITEMS, np.array(["a", "a"]), np.array(["a", "b"]), np.zeros(2))
    with pytest.raises(ValueError, match="unequal length: 2, 2, 3"):
        Units(UnitKind.ITEMS, np.array(["a", "b"]), np.array(["a", "b"]), np.zeros(3))
