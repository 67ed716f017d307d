from __future__ import annotations

import numpy as np
import pytest

from harness.keys import generator
from harness.metrics.cluster_bootstrap import REPLICATES, bootstrap, clusters_of, replicate_units, resampled
from harness.metrics.metric import CannotMeasure, Items


def items_of(sizes: list[int]) -> Items:
    prompt = np.repeat(np.arange(len(sizes)), np.array(sizes, dtype=np.int64))
    sample = np.concatenate([np.arange(0), *(np.arange(s) for s in sizes)])
    return Items(prompt, sample, prompt, tuple("x" * len(sizes)))


def test_clusters_hold_every_item_once_in_the_order_of_samples() -> None:
    items = items_of([3, 1, 2])
    order = np.array([5, 2, 0, 3, 1, 4])
    mixed = Items(items.prompt[order], items.sample[order], items.group[order], items.prompts)
    clusters = clusters_of(mixed)
    assert clusters.size.tolist() == [3, 1, 2]
    assert mixed.sample[clusters.table[0]].tolist() == [0, 1, 2]
    assert clusters.table[1].tolist() == [3, -1, -1]
    kept = clusters_of(mixed, np.array([0, 5]))
    assert kept.prompt.tolist() == [2]
    assert kept.table.tolist() == [[5, 0]]


def test_whole_prompts_are_drawn_and_items_only_from_them() -> None:
    clusters = clusters_of(items_of([3, 1, 2]))
    for picked, drawn in resampled(clusters, 0, "test"):
        assert picked.shape == (3,)
        for row, slots in zip(picked, drawn, strict=True):
            taken = slots[slots >= 0]
            assert len(taken) == clusters.size[row]
            assert set(taken.tolist()) <= set(clusters.table[row].tolist())


def test_the_draws_depend_on_the_key_alone() -> None:
    clusters = clusters_of(items_of([4, 4]))
    first = [d.tobytes() for _, d in resampled(clusters, 0, "attr", "hat")]
    assert len(first) == REPLICATES
    assert [d.tobytes() for _, d in resampled(clusters, 0, "attr", "hat")] == first
    assert [d.tobytes() for _, d in resampled(clusters, 0, "attr", "skin")] != first
    assert [d.tobytes() for _, d in resampled(clusters, 1, "attr", "hat")] != first


def test_replicates_are_shifted_onto_the_value() -> None:
    units = replicate_units(2.0, np.array([3.0, 5.0]))
    assert units.value.tolist() == [1.0, 3.0]
    assert units.key.tolist() == ["0000", "0001"]


def test_the_spread_of_a_mean_is_that_of_its_cluster_means() -> None:
    random = generator(0, "world", "clusters")
    effect = random.normal(size=40)
    items = items_of([6] * 40)
    value = effect[items.prompt] + 0.2 * random.normal(size=240)
    units = bootstrap(items, float(value.mean()), lambda drawn: float(value[drawn].mean()), 0, "test")
    by_cluster = value.reshape(40, 6).mean(axis=1).std(ddof=1) / np.sqrt(40)
    assert units.value.std() == pytest.approx(by_cluster, rel=0.15)
    assert units.value.std() > 1.5 * value.std() / np.sqrt(240)  # as if items were independent


def test_no_items_are_refused() -> None:
    with pytest.raises(CannotMeasure):
        clusters_of(items_of([]))
