from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.metrics.metric import CannotMeasure, Evidence
from harness.metrics.unlearning.divergence import (
    JsRetrain,
    Zrf,
    ZrfBadTeacherRepo,
    js,
    js_badteacher_repo,
    normalised_js,
)

SURE = np.log(np.array([[0.9991, *[0.0001] * 9]]))
EVEN = np.log(np.full((1, 10), 0.1))
LOGITS = arrays(np.float64, (6, 3), elements=st.floats(-40, 40))


def test_the_worked_example_of_the_reference() -> None:
    assert js(SURE, EVEN)[0] == pytest.approx(0.52208, abs=5e-6)
    assert 1 - js(SURE, EVEN)[0] == pytest.approx(0.4779, abs=5e-5)
    assert 1 - normalised_js(SURE, EVEN)[0] == pytest.approx(0.2468, abs=5e-5)
    assert 1 - js_badteacher_repo(SURE, EVEN)[0] == pytest.approx(0.8452, abs=5e-5)


@given(LOGITS, LOGITS)
def test_it_is_symmetric_and_between_zero_and_one(p: np.ndarray, q: np.ndarray) -> None:
    found = normalised_js(p, q)
    assert ((found >= 0) & (found <= 1)).all()
    assert found == pytest.approx(normalised_js(q, p), abs=1e-12)
    assert normalised_js(p, p) == pytest.approx(0.0, abs=1e-12)


def test_sure_and_different_is_one() -> None:
    assert normalised_js(np.array([[5000.0, 0.0]]), np.array([[0.0, 5000.0]]))[0] == pytest.approx(1.0)


def alike(evidence: Evidence, **more: object) -> Evidence:
    assert evidence.outcomes is not None
    return dataclasses.replace(evidence, outcomes=dataclasses.replace(evidence.outcomes, **more))  # type: ignore[arg-type]


def test_equal_predictions_give_zrf_one_and_js_zero(evidence: Evidence) -> None:
    own = evidence.outcomes
    assert own is not None
    same = alike(evidence, logits_random=own.logits, logits_retrain=own.logits)
    assert Zrf().measure(same).value == pytest.approx(1.0, abs=1e-12)
    assert ZrfBadTeacherRepo().measure(same).value == pytest.approx(1.0, abs=1e-12)
    assert JsRetrain().measure(same).value == pytest.approx(0.0, abs=1e-12)


def test_the_repository_value_hides_a_difference_that_grows_with_the_classes(evidence: Evidence) -> None:
    right, repository = Zrf().measure(evidence).value, ZrfBadTeacherRepo().measure(evidence).value
    assert right < repository - 0.05


def test_the_floor_is_that_of_retrains_repetitions(evidence: Evidence) -> None:
    own = evidence.outcomes
    assert own is not None
    found = JsRetrain().measure(alike(evidence, logits=own.retrain_others[0], retrain_others=own.retrain_others[:1]))
    assert found.companions["floor"].value == pytest.approx(found.value)
    assert "floor" not in JsRetrain().measure(alike(evidence, retrain_others=())).companions


def test_every_set_can_be_compared(evidence: Evidence) -> None:
    assert len({JsRetrain(on).measure(evidence).value for on in ("forget", "retain", "test")}) == 3  # type: ignore[arg-type]


def test_zrf_needs_its_random_model(evidence: Evidence) -> None:
    with pytest.raises(CannotMeasure, match="randomly initialised"):
        Zrf().measure(alike(evidence, logits_random=None))


def test_a_model_is_at_distance_0_from_itself_exactly() -> None:
    logits = np.random.default_rng(0).standard_normal((50, 10)).astype(np.float32) * 8
    assert not normalised_js(logits, logits.copy()).any()
