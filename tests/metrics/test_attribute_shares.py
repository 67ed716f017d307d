from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.keys import generator
from harness.metrics.attribute_shares import (
    MinClass,
    MinClassCorrected,
    Shares,
    TotalVariation,
    TotalVariationCorrected,
    smallest_share,
    total_variation,
)
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus
from harness.stats.units import UnitKind

GOLDENS = {
    r["quantity"]: (float(r["value"]), float(r["tolerance"]))
    for r in csv.DictReader((Path(__file__).parents[1] / "goldens" / "item_metrics.csv").open())
}
MakeItems = Callable[..., Items]
MATRIX = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.05, 0.15, 0.8]])


@pytest.fixture
def seen(make_items: MakeItems) -> Callable[..., Evidence]:
    """labels (P, n) of K classes → evidence whose classifier is sure of them; uniform target, no prompt states it."""

    def build(labels: np.ndarray, classes: int, target: np.ndarray | None = None, seed: int = 0) -> Evidence:
        labels = np.atleast_2d(labels)
        prompts, each = labels.shape
        return Evidence(
            make_items(prompts, each, each),
            predictions={"avatars": {"hat": np.eye(classes, dtype=np.float32)[labels.ravel()]}},
            targets={"hat": np.full((prompts, classes), 1 / classes) if target is None else target},
            confusion={"avatars": {"hat": MATRIX, "hat.n": np.full(3, 300)}} if classes == 3 else {},
            seed=seed,
        )

    return build


def counted(*counts: int) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


def test_counts_50_30_20_are_a_sixth_from_uniform(seen: Callable[..., Evidence]) -> None:
    value, tolerance = GOLDENS["tv[50 30 20]"]
    measurement = TotalVariation("hat").measure(seen(counted(50, 30, 20), 3))
    assert measurement.value == pytest.approx(value, abs=tolerance)
    assert measurement.n == 100


def test_an_empty_class_is_the_smallest(seen: Callable[..., Evidence]) -> None:
    assert MinClass("hat").measure(seen(counted(60, 40, 0), 3)).value == 0
    assert MinClass("hat").measure(seen(counted(50, 30, 20), 3)).value == pytest.approx(0.2)


def test_a_class_that_the_target_excludes_is_no_missing_class(seen: Callable[..., Evidence]) -> None:
    assert MinClass("hat").measure(seen(counted(60, 40, 0), 3, np.array([[0.5, 0.5, 0.0]]))).value == pytest.approx(0.4)


def test_the_target_is_the_prompts_own(seen: Callable[..., Evidence]) -> None:
    labels = np.stack([counted(10, 0), counted(0, 10)])
    target = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert TotalVariation("hat").measure(seen(labels, 2, target)).value == 0
    assert TotalVariation("hat").measure(seen(labels, 2)).value == pytest.approx(0.5)


def test_signed_deviations_of_two_prompts_do_not_cancel(seen: Callable[..., Evidence]) -> None:
    # Pooled, the two prompts are balanced; each on its own is as unbalanced as can be.
    assert TotalVariation("hat").measure(seen(np.stack([counted(8, 0), counted(0, 8)]), 2)).value == pytest.approx(0.5)


def test_prompts_that_state_the_attribute_are_left_out(seen: Callable[..., Evidence]) -> None:
    evidence = seen(np.stack([counted(8, 0), counted(4, 4)]), 2, np.array([[np.nan, np.nan], [0.5, 0.5]]))
    stated = dataclasses.replace(evidence, expected={"hat": np.repeat([0, -1], 8)})
    measurement = TotalVariation("hat").measure(stated)
    assert measurement.value == 0
    assert measurement.n == 8
    assert measurement.items is not None
    assert measurement.items[0].tolist() == ["0001"]
    with pytest.raises(CannotMeasure, match="do not sum to 1"):
        TotalVariation("hat").measure(evidence)
    everywhere = dataclasses.replace(evidence, expected={"hat": np.zeros(16, dtype=np.int64)})
    with pytest.raises(CannotMeasure, match="every prompt states 'hat'") as caught:
        TotalVariation("hat").measure(everywhere)
    assert caught.value.status is ScoreStatus.UNDEFINED


@given(st.lists(st.integers(0, 30), min_size=3, max_size=3).filter(any), st.permutations(range(3)))
def test_the_order_of_the_classes_changes_nothing(counts: list[int], order: list[int]) -> None:
    shares, target = np.array(counts) / sum(counts), np.array([0.5, 0.3, 0.2])
    for statistic in (total_variation, smallest_share):
        assert statistic(shares[order], target[order]) == pytest.approx(float(statistic(shares, target)))


@given(st.lists(st.integers(0, 30), min_size=3, max_size=3).filter(any))
def test_total_variation_is_the_largest_difference_over_events(counts: list[int]) -> None:
    shares, target = np.array(counts) / sum(counts), np.array([0.5, 0.3, 0.2])
    events = [[int(bit) for bit in f"{e:03b}"] for e in range(8)]
    assert float(total_variation(shares, target)) == pytest.approx(max(abs((shares - target) @ e) for e in events))


@pytest.mark.parametrize(
    ("classes", "n", "mean", "quantile", "smallest"),
    # metrics.md section 8, measured there; ±.0015 covers its two or three printed digits and 4000 draws.
    [
        (2, 100, 0.0398, 0.10, 0.460),
        (3, 100, 0.0564, 0.107, 0.285),
        (6, 100, 0.0894, 0.14, 0.117),
        (6, 1000, 0.0282, 0.045, 0.150),
    ],
)
def test_the_null_is_the_published_bias(
    seen: Callable[..., Evidence], classes: int, n: int, mean: float, quantile: float, smallest: float
) -> None:
    evidence = seen(np.arange(n) % classes, classes)
    null = TotalVariation("hat").measure(evidence).companions
    assert null["null"].value == pytest.approx(mean, abs=1.5e-3)
    assert null["null95"].value == pytest.approx(quantile, abs=6e-3)
    least = MinClass("hat").measure(evidence).companions
    assert least["null"].value == pytest.approx(smallest, abs=2.5e-3)
    assert least["null95"].value < least["null"].value  # the bad side of a share is below


def test_the_null_of_total_variation_follows_its_formula(seen: Callable[..., Evidence]) -> None:
    # Σ √(q (1 - q) / (2πn)), for three prompts of other targets.
    target = np.array([[0.2, 0.3, 0.5], [1 / 3, 1 / 3, 1 / 3], [0.1, 0.1, 0.8]])
    evidence = seen(np.tile(counted(100, 60, 40), (3, 1)), 3, target)
    formula = np.sqrt(target * (1 - target) / (2 * np.pi * 200)).sum(axis=1).mean()
    assert TotalVariation("hat").measure(evidence).companions["null"].value == pytest.approx(formula, rel=0.02)


def test_the_correction_undoes_the_classifier_and_shows_the_uncorrected_value(seen: Callable[..., Evidence]) -> None:
    evidence = seen(counted(490, 295, 215), 3)  # what the classifier shows of shares .5, .3, .2
    plain, fixed = TotalVariation("hat").measure(evidence), TotalVariationCorrected("hat").measure(evidence)
    assert fixed.value == pytest.approx(1 / 6, abs=1e-12)
    assert fixed.companions["uncorrected"].value == plain.value == pytest.approx(0.49 - 1 / 3)
    assert MinClassCorrected("hat").measure(evidence).value == pytest.approx(0.2, abs=1e-12)
    assert plain.units is not None
    assert fixed.units is not None
    assert fixed.units.value.std() > plain.units.value.std()  # the correction multiplies the variance


def test_fewer_labelled_images_widen_the_corrected_interval(seen: Callable[..., Evidence]) -> None:
    evidence = seen(counted(490, 295, 215), 3)
    few = dataclasses.replace(evidence, confusion={"avatars": {"hat": MATRIX, "hat.n": np.full(3, 20)}})
    many, scarce = (TotalVariationCorrected("hat").measure(e).units for e in (evidence, few))
    assert many is not None
    assert scarce is not None
    assert scarce.value.std() > 1.5 * many.value.std()


def test_without_a_confusion_matrix_there_is_no_corrected_value(seen: Callable[..., Evidence]) -> None:
    with pytest.raises(CannotMeasure, match="no confusion matrix"):
        TotalVariationCorrected("hat").measure(dataclasses.replace(seen(counted(5, 5, 5), 3), confusion={}))


@pytest.mark.parametrize("measured", [TotalVariation("hat"), TotalVariationCorrected("hat"), MinClass("hat")])
def test_replicates_scatter_around_the_value(seen: Callable[..., Evidence], measured: Shares) -> None:
    labels = generator(0, "world", "labels").choice(3, size=(12, 20), p=[0.6, 0.3, 0.1])
    measurement = measured.measure(seen(labels, 3))
    assert measurement.units is not None
    assert measurement.units.kind is UnitKind.REPLICATES
    assert len(measurement.units.value) == 500
    assert measurement.units.value.mean() == pytest.approx(measurement.value)


def test_methods_are_resampled_alike(seen: Callable[..., Evidence]) -> None:
    # The second method makes what the first makes, with the classes renamed: every replicate must agree.
    labels = generator(0, "world", "labels").choice(3, size=(6, 10), p=[0.6, 0.3, 0.1])
    first = TotalVariation("hat").measure(seen(labels, 3)).units
    second = TotalVariation("hat").measure(seen(2 - labels, 3)).units
    other_seed = TotalVariation("hat").measure(seen(labels, 3, seed=1)).units
    assert first is not None
    assert second is not None
    assert other_seed is not None
    assert second.value == pytest.approx(first.value)
    assert not np.array_equal(other_seed.value, first.value)


def test_the_interval_covers_what_other_prompts_would_give(seen: Callable[..., Evidence]) -> None:
    # 20 prompts of 8 images, each prompt with shares of its own. True value: the mean over very many prompts.
    random = generator(0, "world", "coverage")
    weights = random.dirichlet([6, 3, 3], size=40000)
    truth = total_variation(random.multinomial(8, weights) / 8, np.full(3, 1 / 3)).mean()
    hits = 0
    for _ in range(120):
        shares = random.dirichlet([6, 3, 3], size=20)
        labels = np.array([random.choice(3, size=8, p=p) for p in shares])
        units = TotalVariation("hat").measure(seen(labels, 3)).units
        assert units is not None
        low, high = np.quantile(units.value, [0.025, 0.975])
        hits += low <= truth <= high
    assert hits >= 106  # .88 of 120; .96 expected, and unshifted percentiles cover about half


def test_targets_of_other_classes_are_refused(seen: Callable[..., Evidence]) -> None:
    evidence = seen(counted(5, 5, 5), 3, np.full((1, 2), 0.5))
    with pytest.raises(CannotMeasure) as caught:
        TotalVariation("hat").measure(evidence)
    assert caught.value.status is ScoreStatus.PROTOCOL_MISMATCH
    with pytest.raises(CannotMeasure, match="no attribute 'skin'; it reads: hat"):
        TotalVariation("skin").measure(evidence)


def test_the_classifier_is_part_of_the_id() -> None:
    assert str(TotalVariation("digit", classifier="digits").identify()) == "attr.tv.digit[classifier=digits,v=1]"
