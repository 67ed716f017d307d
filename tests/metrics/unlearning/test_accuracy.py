from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from harness.metrics.metric import CannotMeasure, Evidence, Items, Metric, ScoreStatus
from harness.metrics.unlearning.accuracy import (
    ForgottenTestAccuracy,
    RetainAccuracy,
    TestAccuracy,
    UnlearningAccuracy,
    correct,
)
from harness.metrics.unlearning.outcomes import Outcomes
from harness.stats.intervals import interval

ALL = (UnlearningAccuracy, RetainAccuracy, TestAccuracy, ForgottenTestAccuracy)


def of(role: list[str], label: list[int], said: list[int], **more: object) -> Evidence:
    """Evidence of examples that the model answers with `said`, surely; Retrain says 0 of everything."""
    n = len(role)
    number = np.arange(n)
    items = Items(number, np.zeros(n, dtype=np.int64), number, tuple(map(str, number)))
    logits = 5.0 * np.eye(3, dtype=np.float32)[said]
    own = Outcomes(
        np.array(role), np.array(label), logits, logits, np.float32(5) * np.eye(3, dtype=np.float32)[[0] * n]
    )
    return Evidence(items, outcomes=dataclasses.replace(own, **more))  # type: ignore[arg-type]


ROLES = ["forget", "forget", "forget", "forget", "retain", "retain", "test", "test", "test", "test"]
LABEL = [1, 1, 1, 1, 0, 2, 0, 2, 1, 1]
SAID = [1, 0, 0, 2, 0, 2, 0, 0, 1, 2]


def test_a_hand_counted_example_of_class_forgetting() -> None:
    evidence = of(ROLES, LABEL, SAID, forgotten_class=1)
    values = [kind().measure(evidence).value for kind in ALL]
    assert values == [0.75, 1.0, 0.5, 0.5]
    assert [kind().measure(evidence).n for kind in ALL] == [4, 2, 2, 2]


def test_in_random_forgetting_every_test_example_counts() -> None:
    evidence = of(ROLES, LABEL, SAID)
    assert TestAccuracy().measure(evidence).value == 0.5
    assert TestAccuracy().measure(evidence).n == 4
    with pytest.raises(CannotMeasure, match="no forgotten class") as caught:
        ForgottenTestAccuracy().measure(evidence)
    assert caught.value.status is ScoreStatus.UNDEFINED


def test_a_forgotten_person_is_cut_out_by_the_concept() -> None:
    concept = np.array([True] * 4 + [False] * 3 + [True] + [False] * 2)
    evidence = of(ROLES, LABEL, SAID, concept=concept)
    assert TestAccuracy().measure(evidence).n == 3
    assert ForgottenTestAccuracy().measure(evidence).value == 0.0


def test_ua_is_one_minus_accuracy_and_not_accuracy() -> None:
    # Unlearn-Saliency#25: a reader took UA for the accuracy.
    perfect = of(["forget"] * 6, [0, 1, 2] * 2, [0, 1, 2] * 2)
    assert UnlearningAccuracy().measure(perfect).value == 0.0


def test_equal_logits_go_to_the_first_class() -> None:
    assert correct(np.zeros((2, 3)), np.array([0, 1])).tolist() == [1.0, 0.0]


def test_items_are_kept_and_give_a_wilson_interval(evidence: Evidence) -> None:
    found = UnlearningAccuracy().measure(evidence)
    assert found.items is not None
    assert found.units is not None
    assert set(found.items[2].tolist()) <= {0.0, 1.0}
    assert interval(UnlearningAccuracy.estimator, found.units).method.startswith("wilson")


@pytest.mark.parametrize("kind", ALL)
def test_without_a_retrain_there_is_no_number(kind: type[Metric], evidence: Evidence) -> None:
    assert evidence.outcomes is not None
    without = dataclasses.replace(evidence, outcomes=dataclasses.replace(evidence.outcomes, logits_retrain=None))
    with pytest.raises(CannotMeasure, match="no Retrain") as caught:
        kind().measure(without)
    assert caught.value.status is ScoreStatus.INVALID_CONTROL


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda o: {"logits": o.logits[:-1]}, "95 rows for 96 examples"),
        (lambda o: {"logits_retrain": o.logits[:, :2]}, "unlearned model's are"),
        (lambda o: {"role": np.where(o.role == "test", "valid", o.role)}, "unknown role 'valid'"),
        (lambda o: {"label": o.label + 1}, "labels outside"),
        (lambda o: {"logits": np.where(np.arange(4) == 1, np.nan, o.logits)}, "NaN"),
        (lambda o: {"retrain_others": (o.logits, o.logits * np.inf)}, r"retrain_others\[1\]"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(
    change: Callable[[Outcomes], dict[str, object]], says: str, evidence: Evidence
) -> None:
    assert evidence.outcomes is not None
    broken = dataclasses.replace(evidence.outcomes, **change(evidence.outcomes))  # type: ignore[arg-type]
    with pytest.raises(CannotMeasure, match=says):
        UnlearningAccuracy().measure(dataclasses.replace(evidence, outcomes=broken))
