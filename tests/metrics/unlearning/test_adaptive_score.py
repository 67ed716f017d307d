from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.metric import Evidence
from harness.metrics.unlearning.adaptive_score import AdaptiveUnlearningScore, aus
from harness.metrics.unlearning.efficiency import RunTime
from harness.metrics.unlearning.quantities import Accuracy
from harness.stats.intervals import interval
from harness.stats.units import CannotInfer, Estimator, over_seeds

SHARE = st.floats(0, 1)


def test_hand_examples() -> None:
    assert aus(0.94, 0.94, 0.0, concept=True) == 1.0  # forgets the class, keeps the rest
    assert aus(0.94, 0.94, 1.0, concept=True) == 0.5  # nothing was done
    assert aus(0.94, 0.84, 0.2, concept=True) == pytest.approx(0.9 / 1.2)
    assert aus(0.94, 0.94, 0.94, concept=False) == 1.0  # random forgetting: as good on D_f as on D_t
    assert aus(0.94, 0.92, 1.0, concept=False) == pytest.approx(0.98 / 1.08)


@given(SHARE, SHARE, SHARE)
def test_forgetting_too_much_at_random_costs_as_much_as_too_little(before: float, test: float, away: float) -> None:
    below, above = aus(before, test, test - away, concept=False), aus(before, test, test + away, concept=False)
    assert below == pytest.approx(above)


def test_the_metric_is_the_formula_of_the_sets(plant: Callable[..., Evidence]) -> None:
    evidence = plant(seen=0.3)
    own = evidence.outcomes
    assert own is not None
    from harness.metrics.unlearning.outcomes import view

    seen = view(evidence)
    test, forget = Accuracy("test"), Accuracy("forget")
    found = AdaptiveUnlearningScore().measure(evidence)
    assert found.value == pytest.approx(
        aus(
            test.value(seen, own.logits_original),
            test.value(seen, own.logits),
            forget.value(seen, own.logits),
            concept=False,
        )
    )
    assert found.units is not None
    around = interval(Estimator.RATIO, found.units)
    assert around.low < found.value < around.high


def test_minutes_and_their_share_of_retraining(evidence: Evidence) -> None:
    found = RunTime().measure(evidence)
    assert found.value == pytest.approx(3 / 60)
    assert found.companions["share"].value == pytest.approx(3 / 60)


def test_seeds_are_the_units_of_a_run_time(evidence: Evidence) -> None:
    assert evidence.outcomes is not None
    units = []
    for seed in range(3):
        own = dataclasses.replace(evidence.outcomes, seed=seed, seconds_method=60.0 + seed)
        found = RunTime().measure(dataclasses.replace(evidence, outcomes=own))
        assert found.units is not None
        units.append(found.units)
    with pytest.raises(CannotInfer, match="one edited model"):
        interval(Estimator.SEEDS, units[0])
    assert interval(Estimator.SEEDS, over_seeds(["0", "1", "2"], units)).method == "t(seeds=3)"
