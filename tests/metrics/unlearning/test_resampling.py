from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.metric import Evidence, Items
from harness.metrics.unlearning.outcomes import view
from harness.metrics.unlearning.quantities import QUANTITIES, replicates
from harness.metrics.unlearning.resampling import bins, weights


def test_weights_count_draws_of_each_set_by_itself(plant: Callable[..., Evidence]) -> None:
    seen = view(plant())
    for weight in weights(seen, ("forget", "test"), 5):
        assert weight[seen.forget].sum() == len(seen.forget)
        assert weight[seen.test].sum() == len(seen.test)
        assert not weight[seen.retain].any()
        assert (weight == weight.astype(int)).all()


def test_a_sets_draws_do_not_depend_on_which_others_are_named(plant: Callable[..., Evidence]) -> None:
    seen = view(plant())
    alone, both = list(weights(seen, ("test",), 3)), list(weights(seen, ("retain", "test"), 3))
    for a, b in zip(alone, both, strict=True):
        assert np.array_equal(a[seen.test], b[seen.test])


def test_whole_clusters_are_drawn(plant: Callable[..., Evidence]) -> None:
    evidence = plant()
    n = len(evidence.items)
    by_four = Items(np.arange(n) // 4, np.arange(n) % 4, np.arange(n) // 4, tuple(map(str, range(n // 4 + 1))))
    seen = view(dataclasses.replace(evidence, items=by_four))
    for weight in weights(seen, ("forget",), 5):
        own = weight[seen.forget].reshape(-1, 4)
        assert (own == own[:, :1]).all()


def test_methods_share_their_draws(plant: Callable[..., Evidence]) -> None:
    one, other = view(plant(seen=0.0)), view(plant(seen=1.0))
    assert np.array_equal(next(weights(one, ("forget",), 1)), next(weights(other, ("forget",), 1)))


def test_replicates_are_remembered_by_content_not_by_place(plant: Callable[..., Evidence]) -> None:
    seen, ua = view(plant(seen=0.2)), QUANTITIES["UA"]
    first = replicates(ua, seen, seen.outcomes.logits)
    assert replicates(ua, view(plant(seen=0.2)), seen.outcomes.logits.copy()) is first
    assert not np.array_equal(replicates(ua, seen, seen.retrain), first)
    assert not np.array_equal(replicates(QUANTITIES["TA"], seen, seen.outcomes.logits), first)
    relabelled = dataclasses.replace(
        seen, outcomes=dataclasses.replace(seen.outcomes, label=1 - seen.outcomes.label % 2)
    )
    assert not np.array_equal(replicates(ua, relabelled, seen.outcomes.logits), first)


@given(st.integers(1, 60), st.integers(1, 20))
def test_bins_keep_number_order_and_mean(count: int, most: int) -> None:
    values = np.random.default_rng(count).normal(size=count).round(1)
    cut = bins(values, most)
    assert len(cut.centre) == min(count, most)
    assert cut.counts.sum() == count
    assert cut.counts.max() - cut.counts.min() <= 1
    assert cut.centre @ cut.counts == pytest.approx(values.sum())
    assert (np.diff(cut.centre) >= -1e-12).all()
    if most >= count:
        assert cut.centre[cut.member] == pytest.approx(values)
