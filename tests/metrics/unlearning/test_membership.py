from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from harness.metrics.metric import CannotMeasure, Evidence, Measurement, Metric, ScoreStatus
from harness.metrics.unlearning.attacks import LearntOnRetain
from harness.metrics.unlearning.gap import Gap, MeanGap
from harness.metrics.unlearning.likelihood_ratio import excess, placements
from harness.metrics.unlearning.membership import (
    CrossValidatedLoss,
    Lira,
    LiraTruePositives,
    LogisticEntropy,
    SvcConfidence,
    SvcEntropy,
    telling_apart,
)
from harness.metrics.unlearning.outcomes import view
from harness.metrics.unlearning.probabilities import scaled_confidence
from harness.metrics.unlearning.quantities import QUANTITIES, replicates
from harness.stats.intervals import interval

LEARNT = (SvcConfidence(), LogisticEntropy(), SvcEntropy())
ATTACKS = (
    LearntOnRetain("svc", "correct_prob"),
    LearntOnRetain("svc", "m_entropy"),
    LearntOnRetain("logreg", "entropy"),
    LearntOnRetain("svc", "entropy"),
)
HALF = (CrossValidatedLoss(), Lira())  # .5 where nothing can be told


def span(metric: Metric, found: Measurement) -> tuple[float, float]:
    assert found.units is not None
    around = interval(metric.estimator, found.units)
    return around.low, around.high


def changed(evidence: Evidence, **more: object) -> Evidence:
    assert evidence.outcomes is not None
    return dataclasses.replace(evidence, outcomes=dataclasses.replace(evidence.outcomes, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", HALF, ids=lambda m: m.name)
def test_retrain_against_itself_scores_a_half(metric: Metric, plant: Callable[..., Evidence]) -> None:
    hits = 0
    for seed in range(4):
        evidence = plant(seed)
        assert evidence.outcomes is not None
        low, high = span(metric, metric.measure(changed(evidence, logits=evidence.outcomes.logits_retrain)))
        hits += low <= 0.5 <= high
    assert hits >= 3  # four intervals of 95 %


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_an_attack_learnt_on_the_retain_set_is_balanced_on_retrain(
    attack: LearntOnRetain, plant: Callable[..., Evidence]
) -> None:
    hits = 0
    for seed in range(6):
        seen = view(plant(seed))
        found = telling_apart(seen, *attack.cross_fitted(seen, seen.retrain))
        assert found.units is not None
        around = interval(SvcConfidence.estimator, found.units)
        hits += around.low <= 0.5 <= around.high
    assert hits >= 5  # six intervals of 95 %


@pytest.mark.parametrize("metric", HALF, ids=lambda m: m.name)
def test_an_overfitted_original_is_found(metric: Metric, plant: Callable[..., Evidence]) -> None:
    found = metric.measure(plant(seen=1.0))
    assert found.value > 0.75
    assert span(metric, found)[0] > 0.6


@pytest.mark.parametrize("metric", LEARNT, ids=lambda m: m.name)
def test_a_learnt_attack_finds_an_overfitted_original(metric: Metric, plant: Callable[..., Evidence]) -> None:
    found, clean = metric.measure(plant(seen=1.0)), metric.measure(plant(seen=0.0))
    assert span(metric, found.companions["balanced"])[0] > 0.6
    members, cleared = (
        (1 - found.value, 1 - clean.value) if metric.name == "mia.svc_conf" else (found.value, clean.value)
    )
    assert members > 0.7
    assert cleared < 0.4


def test_forgetting_too_much_is_found_by_its_auc_and_not_praised(plant: Callable[..., Evidence]) -> None:
    # open-unlearning#167: an AUC near 0 tells the forget set as surely as one near 1.
    evidence = plant(seen=-1.5)
    assert Lira().measure(evidence).value < 0.1
    assert Gap("lira").measure(evidence).value > 0.3


def test_lira_takes_an_examples_own_hardness_away(plant: Callable[..., Evidence]) -> None:
    seen = view(plant(seen=0.5, hard=4.0))
    plain = scaled_confidence(seen.outcomes.logits, seen.outcomes.label)
    assert placements(plain[seen.forget], plain[seen.unseen]).mean() < 0.7
    assert placements(*excess(seen, seen.outcomes.logits)).mean() > 0.9


@pytest.mark.parametrize("metric", [*LEARNT, *HALF], ids=lambda m: m.name)
def test_the_gap_takes_the_number_that_the_attack_reports(metric: Metric, plant: Callable[..., Evidence]) -> None:
    evidence = plant(seen=0.8)
    seen = view(evidence)
    quantity = QUANTITIES[metric.name.removeprefix("mia.")]
    found = metric.measure(evidence)
    assert quantity.value(seen, seen.outcomes.logits) == pytest.approx(found.value, abs=1e-12)
    again = replicates(quantity, seen, seen.outcomes.logits)
    assert again.mean() == pytest.approx(found.value, abs=0.05)  # before they are shifted to it
    assert found.items is not None
    assert found.items[2].mean() == pytest.approx(found.value, abs=1e-12)


def test_lira_needs_shadow_models_and_enough_examples_for_its_rate(plant: Callable[..., Evidence]) -> None:
    with pytest.raises(CannotMeasure, match="no shadow models") as caught:
        Lira().measure(plant(others=0))
    assert caught.value.status is ScoreStatus.INSUFFICIENT_N
    with pytest.raises(CannotMeasure, match="needs 1000 non-members; found 200"):
        LiraTruePositives().measure(plant())
    found = LiraTruePositives().measure(plant(test=1000, seen=1.0))
    assert found.value > 20 * 0.001


def test_a_forgotten_class_is_attacked_among_its_own_kind(plant: Callable[..., Evidence]) -> None:
    # Retrain is unsure of a class it never saw: against other classes it would look like a model that remembers.
    evidence = plant(forget=200, test=400)
    own = evidence.outcomes
    assert own is not None
    label = np.where(own.role == "forget", 0, np.where(own.role == "retain", 1 + own.label % 3, own.label))
    never = np.float32(4.0) * np.eye(4, dtype=np.float32)[np.where(label == 0, 1, label)] + own.logits
    chosen = changed(evidence, label=label, logits=never, forgotten_class=0)
    low, high = span(CrossValidatedLoss(), CrossValidatedLoss().measure(chosen))
    assert low <= 0.5 <= high
    naive = CrossValidatedLoss().measure(changed(evidence, label=label, logits=never))
    assert naive.value > 0.8


def test_the_svc_learns_from_as_many_members_as_there_are_test_examples(plant: Callable[..., Evidence]) -> None:
    seen = view(plant())
    assert len(LearntOnRetain("svc", "correct_prob").members(seen)) == 200
    assert len(LearntOnRetain("logreg", "entropy").members(seen)) == 500


def test_replicates_fit_the_attacker_anew(plant: Callable[..., Evidence]) -> None:
    # With nothing to learn the attacker's line lies anywhere; an interval for one fixed line would be far too short.
    metric = SvcConfidence()
    lengths = []
    for seed in range(3):
        low, high = span(metric, metric.measure(plant(seed, over=0.0)))
        lengths.append(high - low)
    fixed = 2 * 1.96 * 0.5 / np.sqrt(120)
    assert np.median(lengths) > 1.5 * fixed


@pytest.mark.parametrize("quantity", ["UA", "RA", "TA", "svc_conf", "logreg_entropy", "svc_entropy", "loss_cv", "lira"])
def test_retrain_has_no_gap_to_itself(quantity: str, plant: Callable[..., Evidence]) -> None:
    evidence = plant()
    assert evidence.outcomes is not None
    found = Gap(quantity).measure(changed(evidence, logits=evidence.outcomes.logits_retrain))
    assert found.value == 0.0
    assert found.units is not None
    assert not found.units.value.any()


def test_a_gap_is_two_sided_and_its_sign_is_kept(plant: Callable[..., Evidence]) -> None:
    more, less = Gap("UA").measure(plant(seen=-1.0)), Gap("UA").measure(plant(seen=1.0))
    assert more.value > 0.1
    assert less.value > 0.1
    assert more.companions["signed"].value == more.value
    assert less.companions["signed"].value == -less.value
    assert span(Gap("UA"), less.companions["signed"])[1] < 0


def test_the_floor_is_what_retrains_repetitions_score(plant: Callable[..., Evidence]) -> None:
    evidence = plant()
    own = evidence.outcomes
    assert own is not None
    found = Gap("UA").measure(evidence).companions["floor"].value
    rows = own.role == "forget"
    errors = [(m[rows].argmax(1) != own.label[rows]).mean() for m in (own.logits_retrain, *own.retrain_others)]  # type: ignore[union-attr]
    assert found == pytest.approx(np.mean(np.abs(np.array(errors[1:]) - errors[0])))
    assert "floor" not in Gap("UA").measure(plant(others=0)).companions


def test_the_mean_gap_is_the_mean_of_four_gaps(plant: Callable[..., Evidence]) -> None:
    evidence = plant(seen=0.6)
    for attack in ("svc_conf", "loss_cv"):
        parts = [Gap(name).measure(evidence) for name in ("UA", "RA", "TA", attack)]
        found = MeanGap(attack).measure(evidence)  # type: ignore[arg-type]
        assert found.value == pytest.approx(np.mean([p.value for p in parts]))
        assert found.units is not None
        own = np.mean([p.units.value for p in parts if p.units is not None], axis=0)
        assert found.units.value == pytest.approx(own, abs=1e-12)


def test_a_model_nearer_to_retrain_has_the_smaller_mean_gap(plant: Callable[..., Evidence]) -> None:
    gaps = [MeanGap().measure(plant(seen=s)).value for s in (1.0, 0.5, 0.0)]
    assert gaps[0] > gaps[1] > gaps[2]


def test_a_plain_mia_does_not_exist() -> None:
    from harness.metrics import METRICS

    assert "mia" not in METRICS
    assert "mia.lira" in METRICS


def test_a_set_that_is_missing_is_said(plant: Callable[..., Evidence]) -> None:
    evidence = plant()
    assert evidence.outcomes is not None
    role = np.where(evidence.outcomes.role == "retain", "test", evidence.outcomes.role)
    with pytest.raises(CannotMeasure, match="no retain examples"):
        SvcConfidence().measure(changed(evidence, role=role))
    with pytest.raises(CannotMeasure, match="10 folds need"):
        CrossValidatedLoss().measure(plant(forget=9))
