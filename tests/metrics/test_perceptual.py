from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.keys import generator
from harness.metrics.groups import Grouping
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus
from harness.metrics.perceptual import FeaturePairs, FeatureSource, LpipsPairs, LpipsSource, mean_pair_distance

MakeItems = Callable[..., Items]


def over_pairs(rows: np.ndarray) -> float:
    return float(np.mean([((rows[i] - rows[j]) ** 2).sum() for i in range(len(rows)) for j in range(i)]))


@settings(max_examples=40)
@given(st.integers(2, 9), st.integers(1, 7), st.integers(0, 99), st.sampled_from([0.0, 1e4]))
def test_the_mean_over_pairs_needs_no_pair(n: int, d: int, seed: int, shift: float) -> None:
    rows = generator(seed, "world", "rows").normal(size=(n, d)) + shift
    assert mean_pair_distance(rows) == pytest.approx(over_pairs(rows), rel=1e-9)


def test_column_tiles_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = generator(0, "world", "rows").normal(size=(6, 50))
    whole = mean_pair_distance(rows)
    monkeypatch.setattr("harness.metrics.perceptual._ELEMENTS", 24)
    assert mean_pair_distance(rows) == pytest.approx(whole, rel=1e-13)


def test_feature_distance_is_between_unit_vectors(make_items: MakeItems) -> None:
    rows = np.array([[3.0, 0], [0, 0.1], [-9.0, 0], [5.0, 0]])  # lengths do not matter: squared distances 2, 4, …
    evidence = Evidence(make_items(2, 2, 2), features={("generated", "avatars"): rows})
    measurement = FeaturePairs("avatars").measure(evidence)
    assert measurement.items is not None
    assert measurement.items[2].tolist() == [2, 4]
    assert measurement.value == 3


def test_lpips_rows_are_taken_as_they_are(make_items: MakeItems) -> None:
    rows = np.array([[3.0, 0], [0, 4.0]])
    evidence = Evidence(make_items(1, 2, 2), features={("generated", "lpips-alex"): rows})
    assert LpipsPairs("alex").measure(evidence).value == 25


def test_equal_images_of_a_prompt_do_not_differ_and_prompts_are_not_compared(make_items: MakeItems) -> None:
    rows = np.repeat(generator(0, "world", "rows").normal(size=(3, 5)), 4, axis=0)
    evidence = Evidence(make_items(3, 4, 2), features={("generated", "avatars"): rows})
    assert FeaturePairs("avatars").measure(evidence).value == pytest.approx(0, abs=1e-15)


def test_pairs_are_within_the_prompt_or_within_the_coupled_group(make_items: MakeItems) -> None:
    rows = np.repeat(np.eye(2), 2, axis=0)  # one prompt, two groups of two equal images
    evidence = Evidence(make_items(1, 4, 2), features={("generated", "avatars"): rows})
    assert FeaturePairs("avatars").measure(evidence).value == pytest.approx(2 * 4 / 6)
    assert FeaturePairs("avatars", Grouping.GROUP).measure(evidence).value == 0


def test_the_group_is_the_unit(evidence: Evidence) -> None:
    measurement = FeaturePairs("avatars", Grouping.GROUP).measure(evidence)
    assert measurement.n == 24
    assert measurement.units is not None
    assert measurement.units.key[:3].tolist() == ["0000/g00", "0000/g01", "0001/g00"]
    assert measurement.units.cluster[:3].tolist() == ["0000", "0000", "0001"]


def test_sampled_pairs_equal_exact_pairs_in_expectation() -> None:
    rows = generator(0, "world", "rows").normal(size=(12, 4))
    i, j = np.triu_indices(12, 1)
    distance = ((rows[i] - rows[j]) ** 2).sum(axis=1)
    sampled = generator(0, "world", "pairs").choice(distance, size=(2000, 10)).mean(axis=1)
    assert sampled.mean() == pytest.approx(mean_pair_distance(rows), abs=4 * sampled.std() / np.sqrt(2000))


def test_a_row_of_zeros_has_no_direction(make_items: MakeItems) -> None:
    evidence = Evidence(make_items(1, 2, 2), features={("generated", "avatars"): np.array([[0.0, 0], [1, 0]])})
    with pytest.raises(CannotMeasure, match="all zero") as caught:
        FeaturePairs("avatars").measure(evidence)
    assert caught.value.status is ScoreStatus.UNDEFINED


@pytest.mark.parametrize(
    ("measured", "name"), [(FeatureSource("avatars"), "avatars"), (LpipsSource("vgg"), "lpips-vgg")]
)
def test_the_identity_method_is_at_distance_zero_of_every_source(
    measured: FeatureSource | LpipsSource, name: str, evidence: Evidence
) -> None:
    own = evidence.features["generated", name]
    same = dataclasses.replace(evidence, features={**evidence.features, ("source", name): own})
    measurement = measured.measure(same)
    assert measurement.items is not None
    assert (measurement.items[2] == 0).all()
    order = generator(0, "world", "shuffle").permutation(len(own))
    shuffled = dataclasses.replace(evidence, features={**evidence.features, ("source", name): own[order]})
    assert measured.measure(shuffled).value > 10 * measured.measure(evidence).value > 0


def test_a_missing_source_is_not_guessed(evidence: Evidence) -> None:
    source = evidence.features["source", "avatars"][:-1]
    with pytest.raises(CannotMeasure) as caught:
        FeatureSource("avatars").measure(
            dataclasses.replace(evidence, features={**evidence.features, ("source", "avatars"): source})
        )
    assert caught.value.status is ScoreStatus.PROTOCOL_MISMATCH
