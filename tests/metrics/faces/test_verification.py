from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_faces import a_cast, a_view, evidence_of, photos_of, random_rows

from harness.keys import generator
from harness.metrics.faces.calibration import threshold
from harness.metrics.faces.pairs import Pairs, Scores, macro_replicates, mated_pairs
from harness.metrics.faces.resampling import drawn
from harness.metrics.faces.verification import (
    CleanAcceptance,
    Dodging,
    DodgingGain,
    DodgingRaw,
    Leak,
    SelfDodging,
    kept,
    parts,
    rate,
)
from harness.metrics.metric import CannotMeasure, Evidence, Measurement, ScoreStatus
from harness.stats.intervals import interval
from harness.stats.paired import paired_difference
from harness.stats.units import Estimator, NoSpread

NAMES = ("tar_clean", "dodge_raw", "dodge_cond", "dodge_gain", "leak", "self")


def a_pair_each(people: int, each: int = 1) -> Pairs:
    person = np.repeat(np.arange(people), each)
    at = np.arange(people * each)
    return Pairs(at, at, person, np.array([f"{i:03d}" for i in range(people)]))


def the_scores(clean: object, protected: object) -> Scores:
    c, a = np.asarray(clean, dtype=float), np.asarray(protected, dtype=float)
    return Scores(c, a, np.isfinite(c) & np.isfinite(a))


def companion(found: Measurement, name: str) -> float:
    return found.companions[name].value


def test_rates_of_four_pairs_by_hand() -> None:
    # τ = .5; clean: yes yes no no; protected: no yes yes no
    scores, pairs = the_scores([0.9, 0.8, 0.2, 0.1], [0.1, 0.7, 0.6, 0.3]), a_pair_each(4)
    wanted = {"tar_clean": 0.5, "dodge_raw": 0.5, "dodge_cond": 0.5, "dodge_gain": 0.0, "leak": 0.5}
    assert {name: rate(name, scores, 0.5, pairs) for name in wanted} == wanted  # type: ignore[arg-type]


def test_a_score_at_the_threshold_is_not_accepted() -> None:
    scores, pairs = the_scores([0.5], [0.5]), a_pair_each(1)
    assert rate("tar_clean", scores, 0.5, pairs) == 0.0
    assert rate("dodge_raw", scores, 0.5, pairs) == 1.0


@pytest.fixture(scope="module")
def identity() -> Evidence:
    cast = a_cast(40)
    clean = photos_of(cast, 1.2)  # some photos are missed even when clean
    return evidence_of(cast, a_view(cast, clean, clean))


def test_t05_the_identity_protects_nobody(identity: Evidence) -> None:
    assert Dodging("toy").measure(identity).value == 0.0
    assert DodgingGain("toy").measure(identity).value == 0.0
    assert Leak("toy").measure(identity).value == 0.0
    assert 0 < CleanAcceptance("toy").measure(identity).value < 1
    gain = DodgingGain("toy").measure(identity).units
    assert gain is not None
    assert not gain.value.any()
    once, again = (Dodging("toy").measure(identity).units for _ in range(2))
    assert once is not None
    assert again is not None
    with pytest.raises(NoSpread, match="identical on every unit"):
        paired_difference(Dodging.estimator, once, again, value=0.0)


def test_t06_random_vectors_are_rejected_as_often_as_strangers() -> None:
    cast = a_cast(150, probes=4, gallery=4)
    clean = photos_of(cast, 0.5)
    found = DodgingRaw("toy").measure(evidence_of(cast, a_view(cast, random_rows(len(cast), 64, "cloak"), clean)))
    assert found.value == pytest.approx(0.990, abs=0.007)  # 2400 pairs, and a threshold with sd .0013 of its rate


def test_t07_the_opposite_direction_is_never_accepted() -> None:
    cast = a_cast(20)
    clean = photos_of(cast, 0.5)
    evidence = evidence_of(cast, a_view(cast, -clean, clean))
    assert DodgingRaw("toy").measure(evidence).value == 1.0
    assert Dodging("toy").measure(evidence).value == 1.0
    assert SelfDodging("toy").measure(evidence).value < 0.1  # both photos turned: they still match each other


@given(st.integers(0, 10**6), st.sampled_from(NAMES))
def test_t12_a_monotone_transform_of_all_scores_changes_no_decision(seed: int, name: str) -> None:
    random = generator(seed, "world", "monotone")
    strangers = random.normal(size=1200)
    scores = the_scores(random.normal(2.0, 1.0, size=30), random.normal(1.0, 1.0, size=30))
    bent = the_scores(np.exp(scores.clean) * 3 - 1, np.exp(scores.protected) * 3 - 1)
    pairs = a_pair_each(10, 3)
    before, after = threshold(strangers, 0.01), threshold(np.exp(strangers) * 3 - 1, 0.01)
    for a, b in zip(
        parts(name, scores.clean > before, scores.protected > before),  # type: ignore[arg-type]
        parts(name, bent.clean > after, bent.protected > after),  # type: ignore[arg-type]
        strict=True,
    ):
        assert a.tolist() == b.tolist()
    assert rate("dodge_raw", bent, after, pairs) == rate("dodge_raw", scores, before, pairs)


def test_t13_a_stricter_rate_raises_the_threshold_and_never_the_acceptance() -> None:
    cast = a_cast(60)
    clean = photos_of(cast, 1.0)
    mixed = clean + 0.8 * random_rows(len(cast), 64, "cloak")
    view = a_view(cast, (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32), clean)
    evidence = evidence_of(cast, view)
    rates = (0.001, 0.003, 0.01, 0.03, 0.1)
    found = [DodgingRaw("toy", far=far).measure(evidence) for far in rates]
    taus = [companion(f, "tau") for f in found]
    assert taus == sorted(taus, reverse=True)
    values = [f.value for f in found]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) > 2


def test_t14_order_changes_nothing_and_a_person_with_more_photos_counts_once() -> None:
    random = generator(0, "world", "macro")
    scores, pairs = the_scores(random.random(24), random.random(24)), a_pair_each(8, 3)
    order = random.permutation(24)
    mixed = Pairs(pairs.probe[order], pairs.gallery[order], pairs.person[order], pairs.people)
    doubled = np.concatenate([np.arange(24), np.arange(3)])  # all pairs of the first person once more
    more = Pairs(pairs.probe[doubled], pairs.gallery[doubled], pairs.person[doubled], pairs.people)
    for name in ("tar_clean", "dodge_raw", "dodge_cond", "dodge_gain", "leak"):
        value = rate(name, scores, 0.5, pairs)  # type: ignore[arg-type]
        swapped = the_scores(scores.clean[order], scores.protected[order])
        assert rate(name, swapped, 0.5, mixed) == pytest.approx(value, abs=1e-15)  # type: ignore[arg-type]
        twice = the_scores(scores.clean[doubled], scores.protected[doubled])
        assert rate(name, twice, 0.5, more) == pytest.approx(value, abs=1e-15)  # type: ignore[arg-type]
    assert (scores.protected[doubled] <= 0.5).mean() != (scores.protected <= 0.5).mean()  # the pair-micro average moves


def test_t20_faces_that_are_not_found_are_counted_both_ways() -> None:
    cast = a_cast(50, probes=2, gallery=1)
    clean = photos_of(cast, 0.5)
    lost = np.flatnonzero(cast.role == "probe")[::10]  # one probe in ten
    seen = np.ones(len(cast), dtype=bool)
    seen[lost] = False
    evidence = evidence_of(cast, a_view(cast, clean, clean, found=seen))
    counted, left = DodgingRaw("toy").measure(evidence), DodgingRaw("toy", fta="excluded").measure(evidence)
    assert counted.value == pytest.approx(0.1)
    assert left.value == 0.0
    assert companion(counted, "fta") == companion(left, "fta") == 10
    assert companion(counted, "fta_excluded") == left.value
    assert companion(left, "fta_protected") == pytest.approx(counted.value)
    assert companion(counted, "pairs") == 100
    assert companion(left, "pairs") == 90
    assert Dodging("toy").measure(evidence).value == pytest.approx(0.1)
    assert SelfDodging("toy").measure(evidence).value == pytest.approx(0.1)
    assert "fta" not in CleanAcceptance("toy").measure(evidence).companions


def test_t22_the_interval_knows_that_photos_of_a_person_are_alike() -> None:
    # 100 people x 10 pairs, half of whom are always protected and half never but for independent pairs: ρ = .5
    random = generator(3, "world", "cluster")
    own = random.random((100, 1)) < 0.5
    same = random.random((100, 10)) < np.sqrt(0.5)
    protected = np.where(same, own, random.random((100, 10)) < 0.5).ravel()
    pairs = a_pair_each(100, 10)
    scores = the_scores(np.ones(1000), 1.0 - protected)
    weights = drawn(0, "people", 100)
    replicates = macro_replicates(
        scores, np.full(len(weights), 0.5), weights, pairs.person, lambda c, a: parts("dodge_raw", c, a)
    )
    p = rate("dodge_raw", scores, 0.5, pairs)
    ratio = replicates.std() / np.sqrt(p * (1 - p) / 1000)
    assert ratio == pytest.approx(2.35, rel=0.15)  # √(1 + 9 · .5); the sd of a sd of 100 people is 7 %


def test_replicates_equal_the_rate_of_the_written_out_resample() -> None:
    random = generator(4, "world", "brute")
    person = np.sort(random.integers(0, 6, size=40))
    person[:6] = np.arange(6)
    person = np.sort(person)
    scores = the_scores(random.random(40), random.random(40))
    weights, taus = drawn(0, "people", 6)[:50], random.random(50) * 0.3
    for name in ("tar_clean", "dodge_raw", "dodge_cond", "dodge_gain", "leak"):
        found = macro_replicates(scores, taus, weights, person, lambda c, a, n=name: parts(n, c, a))  # type: ignore[misc]
        for value, copies, tau in zip(found, weights, taus, strict=True):
            people = np.repeat(np.arange(6), copies)
            rows = np.concatenate([np.flatnonzero(person == p) for p in people])
            number = np.repeat(np.arange(len(people)), [(person == p).sum() for p in people])
            drawn_pairs = Pairs(rows, rows, number, np.array([str(i) for i in range(len(people))]))
            again = the_scores(scores.clean[rows], scores.protected[rows])
            try:
                assert value == pytest.approx(rate(name, again, tau, drawn_pairs), abs=1e-12)  # type: ignore[arg-type]
            except CannotMeasure:
                assert np.isnan(value)


def test_t23_a_legacy_threshold_has_another_id_and_the_calibrated_value_beside_it() -> None:
    cast = a_cast(30)
    clean = photos_of(cast, 1.0)
    evidence = evidence_of(cast, a_view(cast, clean, clean, name="IR152"))
    ours, legacy = CleanAcceptance("IR152"), CleanAcceptance("IR152", threshold="legacy.adv_makeup")
    assert ours.identify() != legacy.identify()
    assert "legacy.adv_makeup" in str(legacy.identify())
    found = legacy.measure(evidence)
    assert companion(found, "tau") == 0.166788
    assert companion(found, "calibrated") == ours.measure(evidence).value != found.value
    assert companion(found, "tau_calibrated") == companion(ours.measure(evidence), "tau")
    for metric in (dataclasses.replace(legacy, far=0.05), CleanAcceptance("toy", threshold="legacy.adv_makeup")):
        with pytest.raises(CannotMeasure, match=r"legacy\.adv_makeup has no constant"):
            metric.measure(evidence_of(cast, a_view(cast, clean, clean, name=metric.face)))


def test_t25_without_any_clean_match_nothing_can_be_protected() -> None:
    cast = a_cast(20)
    clean = photos_of(cast, 0.5)
    turned = np.where((cast.role == "probe")[:, None], -clean, clean)
    with pytest.raises(CannotMeasure, match="no_clean_match") as caught:
        Dodging("toy").measure(evidence_of(cast, a_view(cast, turned, turned)))
    assert caught.value.status is ScoreStatus.UNDEFINED
    assert DodgingRaw("toy").measure(evidence_of(cast, a_view(cast, turned, turned))).value == 1.0
    with pytest.raises(CannotMeasure, match="no_clean_rejection"):
        Leak("toy").measure(evidence_of(cast, a_view(cast, clean, clean)))


def test_protocols_read_the_sides_that_they_name() -> None:
    cast = a_cast(30)
    clean = photos_of(cast, 0.5)
    probe = (cast.role == "probe")[:, None]
    for turned, wanted in ((probe, {"E": 1.0, "P": 0.0, "B": 1.0}), (~probe, {"E": 0.0, "P": 1.0, "B": 1.0})):
        evidence = evidence_of(cast, a_view(cast, np.where(turned, -clean, clean), clean))
        found = {p: DodgingRaw("toy", protocol=p).measure(evidence).value for p in ("E", "P", "B")}  # type: ignore[arg-type]
        assert found == wanted
        assert SelfDodging("toy").measure(evidence).value == 1.0


def test_replicates_of_two_methods_share_their_people_and_thresholds() -> None:
    cast = a_cast(40)
    clean = photos_of(cast, 1.0)
    weak = clean + 0.4 * random_rows(len(cast), 64, "cloak")
    weak = (weak / np.linalg.norm(weak, axis=1, keepdims=True)).astype(np.float32)
    first = DodgingRaw("toy").measure(evidence_of(cast, a_view(cast, clean, clean))).units
    second = DodgingRaw("toy").measure(evidence_of(cast, a_view(cast, weak, clean))).units
    assert first is not None
    assert second is not None
    assert (second.value - first.value).std() < 0.8 * np.hypot(first.value.std(), second.value.std())
    low, high = interval(Estimator.PROPORTION, second).low, interval(Estimator.PROPORTION, second).high
    assert 0 <= low < high <= 1


def test_items_are_photos_with_the_share_of_their_pairs() -> None:
    cast = a_cast(10, probes=2, gallery=3)
    clean = photos_of(cast, 0.5)
    found = DodgingRaw("toy").measure(
        evidence_of(cast, a_view(cast, np.where(np.arange(50)[:, None] == 0, -clean, clean), clean))
    )
    assert found.items is not None
    key, group, value = found.items
    assert len(key) == 20
    assert group[0] == "p0000"
    assert value.tolist() == [1.0] + [0.0] * 19
    assert found.n == 10


def test_t18_a_probe_without_a_mate_is_an_error() -> None:
    cast = a_cast(5)
    role = cast.role.copy()
    role[cast.person == "p0002"] = "probe"
    with pytest.raises(CannotMeasure, match=r"R5: 4 probes .*'p0002'"):
        mated_pairs(dataclasses.replace(cast, role=role))


def test_nan_and_wrong_lengths_are_refused() -> None:
    cast = a_cast(5)
    clean = photos_of(cast, 0.5)
    for bad, text in ((clean * np.nan, "NaN"), (clean * 2, "length 2")):
        with pytest.raises(CannotMeasure, match=text):
            DodgingRaw("toy").measure(evidence_of(cast, a_view(cast, bad, clean)))


def test_nothing_is_left_when_every_face_is_lost() -> None:
    pairs, scores = a_pair_each(3), the_scores([0.9] * 3, [-np.inf] * 3)
    with pytest.raises(CannotMeasure, match="no_faces"):
        kept(pairs, scores, "excluded")
    assert rate("dodge_raw", scores, 0.5, pairs) == 1.0
