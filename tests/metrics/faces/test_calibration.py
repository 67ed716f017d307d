from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_faces import a_cast, a_view, evidence_of, photos_of, random_rows

from harness.keys import generator
from harness.metrics.faces.calibration import (
    acceptances,
    calibrated,
    equal_error_rate,
    impostors,
    resampled,
    threshold,
)
from harness.metrics.faces.resampling import drawn
from harness.metrics.faces.verification import CleanAcceptance
from harness.metrics.metric import CannotMeasure, ScoreStatus

RATES = st.sampled_from([0.01, 0.02, 0.05, 0.1, 0.2, 0.29, 0.57])


def rate(scores: np.ndarray, tau: float) -> float:
    return float((scores > tau).mean())


def test_t01_a_thousand_equally_spaced_scores_give_exactly_one_in_a_hundred() -> None:
    scores = np.arange(1000) / 1000
    assert threshold(scores, 0.01) == 0.989
    assert rate(scores, 0.989) == 0.010


@pytest.mark.parametrize(("far", "tau", "found"), [(0.01, 0.5, 0.0), (0.1, 0.1, 0.1), (0.2, 0.1, 0.1)])
def test_t02_ties_never_let_more_pass_than_promised(far: float, tau: float, found: float) -> None:
    scores = np.repeat([0.5, 0.1], [100, 900])
    assert threshold(scores, far) == tau
    assert rate(scores, tau) == found <= far


def test_t02_a_threshold_that_accepts_its_equals_would_break_the_promise() -> None:
    scores = np.repeat([0.5, 0.1], [100, 900])
    assert (scores >= threshold(scores, 0.01)).mean() == 0.1  # the planted sign of ties


@given(st.integers(0, 10**6), st.integers(1000, 1200), st.integers(1, 50), RATES)
def test_t02_the_rate_never_exceeds_what_was_asked_for(seed: int, pairs: int, distinct: int, far: float) -> None:
    scores = generator(seed, "world", "ties").integers(0, distinct, size=pairs) / 20
    assert Fraction(int((scores > threshold(scores, far)).sum()), len(scores)) <= Fraction(str(far))


def test_t03_fewer_than_ten_accepted_impostors_are_refused() -> None:
    threshold(np.arange(1000) / 1000, 0.01)
    with pytest.raises(CannotMeasure, match="insufficient_impostors") as caught:
        threshold(np.arange(999) / 1000, 0.01)
    assert caught.value.status is ScoreStatus.INSUFFICIENT_N


@pytest.mark.parametrize(("dimension", "wanted"), [(512, (0.0567, 0.1027, 0.1361)), (128, (0.1136, 0.2046, 0.2696))])
def test_t04_random_directions_have_the_thresholds_of_theory(dimension: int, wanted: tuple[float, ...]) -> None:
    people = 1000  # half a million pairs: the sd of the last threshold is .0006 at d = 512
    vectors = random_rows(people, dimension, "theory")
    scores = impostors(vectors, np.array([f"{i:04d}" for i in range(people)]))[0]
    for far, tau in zip((0.1, 0.01, 0.001), wanted, strict=True):
        assert threshold(scores, far) == pytest.approx(tau, abs=0.0025)


def test_t24_the_number_of_acceptances_is_exact_where_floats_lose_one() -> None:
    assert acceptances(100, 0.57) == 57
    assert acceptances(100, 0.29) == 29
    assert math.floor(0.57 * 100) == 56  # the planted float
    assert math.floor(0.29 * 100) == 28


@given(st.integers(1, 10**6), st.integers(1, 999))
def test_t24_acceptances_are_the_floor_of_the_written_decimal(pairs: int, thousandths: int) -> None:
    assert acceptances(pairs, thousandths / 1000) == thousandths * pairs // 1000


def test_fewer_than_three_hundred_people_are_refused_however_many_pairs_they_make() -> None:
    vectors, names = random_rows(299, 8, "few"), np.array([f"{i:04d}" for i in range(299)])
    with pytest.raises(CannotMeasure, match="299 calibration people"):
        calibrated(vectors, names, 0.01, 0)
    assert calibrated(vectors, names, 0.01, 0, fewest=200).people == 299
    many, more = random_rows(400, 8, "few"), np.array([f"{i:04d}" for i in range(400)])
    with pytest.raises(CannotMeasure, match="1500 are needed"):
        calibrated(many, more, 0.0005, 0)


def test_photos_without_a_face_leave_the_calibration() -> None:
    vectors, names = random_rows(302, 8, "holes").copy(), np.array([f"{i:04d}" for i in range(302)])
    vectors[[3, 77]] = 0
    assert calibrated(vectors, names, 0.01, 0).people == 300


def test_order_of_the_calibration_photos_changes_nothing() -> None:
    vectors, names = random_rows(300, 8, "order"), np.array([f"{i:04d}" for i in range(300)])
    order = np.random.Generator(np.random.Philox(1)).permutation(300)
    first, second = calibrated(vectors, names, 0.01, 3), calibrated(vectors[order], names[order], 0.01, 3)
    assert first.value == second.value
    assert first.replicates.tobytes() == second.replicates.tobytes()


def brute(scores: np.ndarray, first: np.ndarray, second: np.ndarray, copies: np.ndarray, far: float) -> float:
    """τ of one replicate, with every copy of every pair written out."""
    return threshold(np.repeat(scores, copies[first] * copies[second]), far)


def test_replicates_equal_the_threshold_of_the_written_out_resample() -> None:
    vectors = random_rows(60, 5, "brute")
    names = np.array([f"{i // 2 if i < 20 else i:04d}" for i in range(60)])  # ten people with two photos
    scores, first, second, people = impostors(vectors, names)
    assert people == 50
    assert len(scores) == 60 * 59 // 2 - 10  # no pair of one person
    weights = np.random.Generator(np.random.Philox(2)).multinomial(people, np.full(people, 1 / people), size=20)
    value = threshold(scores, 0.05)
    taus, rates = resampled(scores, first, second, weights, 0.05, value)
    for tau, share, copies in zip(taus, rates, weights, strict=True):
        assert tau == brute(scores, first, second, copies, 0.05)
        assert share == pytest.approx(rate(np.repeat(scores, copies[first] * copies[second]), value), abs=1e-12)


def test_the_spread_of_the_threshold_is_that_of_new_people_not_of_pairs() -> None:
    # 1 direction in common makes scores of a person's pairs alike; 60 fresh calibrations show the true spread.
    random = np.random.Generator(np.random.Philox(5))

    def people(n: int) -> np.ndarray:
        pull = random.normal(0.5, 0.5, size=(n, 1)) * np.eye(1, 16)
        rows = pull + random.normal(size=(n, 16)) / 4
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    names = np.array([f"{i:04d}" for i in range(100)])
    fresh = [threshold(impostors(people(100), names)[0], 0.1) for _ in range(60)]
    own = [calibrated(people(100), names, 0.1, 0, fewest=100).replicates.std() for _ in range(5)]
    assert np.mean(own) == pytest.approx(np.std(fresh), rel=0.35)
    naive = np.diff(np.sort(impostors(people(100), names)[0])[[-560, -430]])[0] / 2  # ± 2 sd of 495 of 4950
    assert np.mean(own) > 2 * naive / 2


def test_equal_error_rate_of_two_known_samples() -> None:
    assert equal_error_rate(np.array([0.8, 0.9]), np.array([0.1, 0.2])) == 0.0
    assert equal_error_rate(np.array([0.1, 0.9]), np.array([0.2, 0.8])) == 0.5
    genuine, impostor = np.arange(50, 150) / 200, np.arange(0, 100) / 200
    assert equal_error_rate(genuine, impostor) == pytest.approx(0.25, abs=0.01)


def test_checks_stand_beside_the_clean_acceptance() -> None:
    cast = a_cast(40)
    clean = photos_of(cast, 0.5)
    view = a_view(cast, clean, clean, targets={f"t{i}": random_rows(1, 64, "target", i)[0] for i in range(6)})
    found = CleanAcceptance("toy").measure(evidence_of(cast, view))
    assert found.value == 1.0
    beside = found.companions
    assert beside["tau"].units is not None
    assert beside["far"].value <= 0.01
    assert beside["eer"].value == pytest.approx(0.0, abs=0.001)
    assert 0.003 < beside["far_eval"].value < 0.03
    assert beside["far_target_min"].value <= beside["far_target_median"].value <= beside["far_target_max"].value
    assert "weak_recogniser" not in beside
    assert "far_off" not in beside


def test_flags_are_raised_for_a_weak_recogniser_and_a_false_promise() -> None:
    cast = a_cast(60)
    clean = photos_of(cast, 4.0)
    weak = CleanAcceptance("toy").measure(evidence_of(cast, a_view(cast, clean, clean)))
    assert weak.companions["weak_recogniser"].value == weak.value < 0.9
    alike = photos_of(cast, 0.2)
    alike = alike + 3 * random_rows(1, 64, "everyone")  # the people scored resemble each other, the strangers do not
    alike = (alike / np.linalg.norm(alike, axis=1, keepdims=True)).astype(np.float32)
    off = CleanAcceptance("toy").measure(evidence_of(cast, a_view(cast, alike, alike)))
    assert off.companions["far_off"].value > 0.9


def test_t18_calibration_people_who_are_scored_are_an_error() -> None:
    cast = a_cast(5)
    clean = photos_of(cast, 0.5)
    view = a_view(cast, clean, clean)
    names = view.calibration_person.copy()
    names[7] = "p0003"
    with pytest.raises(CannotMeasure, match="R1"):
        CleanAcceptance("toy").measure(evidence_of(cast, dataclasses.replace(view, calibration_person=names)))


def test_false_acceptance_among_the_scored_equals_the_written_out_resample() -> None:
    cast = a_cast(12, probes=2, gallery=1)
    clean = photos_of(cast, 1.0, 8)
    view, evidence = a_view(cast, clean, clean), evidence_of(cast, a_view(cast, clean, clean))
    found = CleanAcceptance("toy", far=0.1).measure(evidence).companions["far_eval"]
    assert found.units is not None
    own = calibrated(view.calibration, view.calibration_person, 0.1, 0)
    probe, gallery = np.flatnonzero(cast.role == "probe"), np.flatnonzero(cast.role == "gallery")
    scores = clean[probe].astype(float) @ clean[gallery].T.astype(float)
    different = cast.person[probe][:, None] != cast.person[gallery]
    assert found.value == pytest.approx((scores > own.value)[different].mean(), abs=1e-12)
    for r, copies in enumerate(drawn(0, "people", 12)[:20]):
        weight = np.repeat(copies, 2)[:, None] * copies * different  # two probes and one gallery photo each
        wanted = (weight * (scores > own.replicates[r])).sum() / weight.sum()
        assert found.units.value[r] == pytest.approx(wanted, abs=1e-12)
