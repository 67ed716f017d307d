from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_faces import a_cast, a_view, evidence_of, photos_of, random_rows, unit

from harness.keys import generator
from harness.metrics.faces.gallery import best_scores, enrolled, photo_scores, ranked
from harness.metrics.faces.identification import Gain, Hit, Untargeted, UntargetedGivenHit
from harness.metrics.faces.open_set import OpenSet, replicate_taus
from harness.metrics.faces.ranking import chance, image_ranks, ranks, target_ranks, tracked_ranks
from harness.metrics.faces.targeted import Targeted
from harness.metrics.faces.view import cosines
from harness.metrics.metric import CannotMeasure


@pytest.mark.parametrize(
    ("gallery", "mates", "k", "wanted"),
    [(1000, 1, 1, 0.9990), (1000, 4, 5, 0.9801), (10001, 1, 5, 0.9995), (500, 1, 5, 0.9900), (200, 3, 5, 0.9265)],
)
def test_t09_chance_has_the_values_of_theory(gallery: int, mates: int, k: int, wanted: float) -> None:
    assert chance(gallery, mates, k) == pytest.approx(wanted, abs=5e-5)


def test_t09_random_probes_are_not_found_as_often_as_chance_says() -> None:
    random = generator(0, "world", "chance")
    mates = np.zeros((4000, 200), dtype=bool)
    mates[:, :3] = True
    found = (image_ranks(random.random((4000, 200)), mates) >= 5).mean()
    assert found == pytest.approx(0.9265, abs=3 * np.sqrt(0.9265 * 0.0735 / 4000))


def test_t10_a_second_mate_is_a_hit_and_never_a_distractor() -> None:
    scores = np.array([[0.10, 0.90, 0.30]])
    assert image_ranks(scores, np.array([[True, True, False]])).tolist() == [0]
    assert ranks(np.array([[0.90, 0.30]]), np.array([0])).tolist() == [0]  # people: the best photo counts
    assert tracked_ranks(scores, np.array([0])).tolist() == [2]  # the Image-Privacy bug: untargeted@1 would be 1


def test_t10_the_metric_counts_any_mate() -> None:
    cast = a_cast(2, probes=1, gallery=2)
    axes = np.eye(4)
    clean = unit(np.array([axes[0], axes[1] + 0.1 * axes[0], axes[0] + 0.1 * axes[2], axes[3], axes[3], axes[2]]))
    view = a_view(cast, clean, clean, strangers=0, distractors=0)
    for template in ("max", "image"):
        assert Untargeted("toy", template=template).measure(evidence_of(cast, view)).value == 0.0  # type: ignore[arg-type]


def test_t11_ties_count_against_who_protects_and_against_who_pretends() -> None:
    same = np.full((3, 5), 0.7)
    assert ranks(same, np.array([0, 2, 4])).tolist() == [0, 0, 0]
    assert target_ranks(same, np.array([0, 2, 4])).tolist() == [4, 4, 4]


def test_t11_equal_gallery_vectors_find_everybody_and_make_nobody_a_target() -> None:
    cast = dataclasses.replace(a_cast(20), target=np.full(80, "t0"))
    clean = photos_of(cast, 0.5, 16)
    gallery = (cast.role == "gallery")[:, None]
    one = random_rows(1, 16, "one")
    view = a_view(cast, clean, np.where(gallery, one, clean), targets={"t0": one[0], "t1": one[0]})
    assert Untargeted("toy").measure(evidence_of(cast, view)).value == 0.0
    found = Targeted("toy").measure(evidence_of(cast, view))
    assert found.value == 0.0
    assert found.companions["raw"].value == 0.0


def test_t11_equal_vectors_have_equal_scores_whatever_the_matrix_product_does() -> None:
    a, b = unit(generator(0, "world", "blas").normal(size=(37, 129))), np.repeat(random_rows(1, 129, "one"), 41, axis=0)
    assert all(len(set(row)) == 1 for row in cosines(a.astype(float), b.astype(float)).tolist())


@given(st.integers(0, 10**6), st.integers(2, 30))
def test_t12_ranks_do_not_feel_a_monotone_transform(seed: int, gallery: int) -> None:
    random = generator(seed, "world", "ranks")
    scores, own = np.round(random.normal(size=(8, gallery)), 1), random.integers(0, gallery, size=8)
    assert ranks(np.exp(scores), own).tolist() == ranks(scores, own).tolist()
    assert target_ranks(np.exp(scores), own).tolist() == target_ranks(scores, own).tolist()


@given(st.integers(0, 10**6))
def test_ranks_equal_those_of_a_sort(seed: int) -> None:
    random = generator(seed, "world", "sort")
    scores, own = np.round(random.normal(size=(6, 9)), 1), random.integers(0, 9, size=6)
    for row, column, rank, other in zip(scores, own, ranks(scores, own), target_ranks(scores, own), strict=True):
        assert rank == sorted(row, reverse=True).index(row[column])
        assert other == sum(v >= row[column] for v in np.delete(row, column))


@given(st.integers(0, 10**6))
def test_a_better_mate_never_lowers_a_hit(seed: int) -> None:
    random = generator(seed, "world", "mates")
    scores, mates = random.random((5, 12)), np.zeros((5, 12), dtype=bool)
    mates[:, :4] = True
    raised = scores.copy()
    raised[:, 2] += 0.5
    assert (image_ranks(raised, mates) <= image_ranks(scores, mates)).all()
    assert (image_ranks(scores, mates) <= tracked_ranks(scores, np.zeros(5, dtype=int))).all()  # the bug overstates


def test_t05_the_identity_hides_nobody() -> None:
    cast = a_cast(40)
    clean = photos_of(cast, 2.0)
    evidence = evidence_of(cast, a_view(cast, clean, clean, distractors=30))
    assert UntargetedGivenHit("toy").measure(evidence).value == 0.0
    assert Gain("toy").measure(evidence).value == 0.0
    hit = Hit("toy").measure(evidence)
    assert 0.1 < hit.value < 1.0
    assert hit.companions["hit_clean"].value == hit.value
    assert Untargeted("toy").measure(evidence).value == pytest.approx(1 - hit.value)
    assert hit.companions["gallery"].value == 70
    assert Hit("toy", k=5).measure(evidence).value > hit.value


def test_rates_follow_the_protocol() -> None:
    cast = a_cast(30)
    clean = photos_of(cast, 0.5)
    probe = (cast.role == "probe")[:, None]
    turned = evidence_of(cast, a_view(cast, np.where(probe, -clean, clean), clean))
    own = evidence_of(cast, a_view(cast, np.where(probe, clean, -clean), clean))
    every = evidence_of(cast, a_view(cast, -clean, clean))
    found = {p: [Untargeted("toy", protocol=p).measure(e).value for e in (turned, own, every)] for p in ("E", "P", "B")}  # type: ignore[arg-type]
    assert found == {"E": [1.0, 0.0, 1.0], "P": [0.0, 1.0, 1.0], "B": [1.0, 1.0, 0.0]}


def test_in_the_poisoning_protocol_only_the_users_own_photos_are_protected() -> None:
    # Everybody's protected gallery photos equal the probe of p0000; were all in at once, p0000 would be outranked.
    cast = a_cast(6, probes=1, gallery=1)
    clean = photos_of(cast, 0.3)
    moved = np.where((cast.role == "gallery")[:, None], clean[0], clean)
    found = Untargeted("toy", protocol="P").measure(evidence_of(cast, a_view(cast, moved, clean)))
    assert found.items is not None
    assert found.items[2].tolist() == [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_a_share_of_the_own_gallery_is_protected_and_the_rest_gives_away() -> None:
    cast = a_cast(20, probes=1, gallery=4)
    clean = photos_of(cast, 0.5)
    evidence = evidence_of(cast, a_view(cast, np.where((cast.role == "gallery")[:, None], -clean, clean), clean))
    assert Untargeted("toy", protocol="P").measure(evidence).value == 1.0
    assert Untargeted("toy", protocol="P", share=0.75).measure(evidence).value == 0.0
    who = enrolled(cast, evidence.items.keys, 0.75)
    assert who.protected.reshape(20, 4).tolist() == [[True, True, True, False]] * 20
    assert enrolled(cast, evidence.items.keys, 0.7).protected.sum() == 60  # 2.8 photos are three


@pytest.mark.parametrize("template", ["max", "mean", "image"])
@pytest.mark.parametrize("protocol", ["E", "P", "B"])
def test_ranks_of_every_template_equal_the_written_out_search(template: str, protocol: str) -> None:
    cast = a_cast(7, probes=2, gallery=3)
    clean, protected = photos_of(cast, 1.5, 8), photos_of(cast, 3.0, 8)
    seen = np.ones(len(cast), dtype=bool)
    seen[[2, 6, 11]] = False
    view = a_view(cast, protected, clean, found=seen, distractors=5)
    evidence = evidence_of(cast, view)
    who = enrolled(cast, evidence.items.keys)
    found = ranked(view, who, protocol, template)  # type: ignore[arg-type]
    for p, rank in zip(np.flatnonzero(cast.role == "probe"), found.now, strict=True):
        if protocol in ("E", "B") and not seen[p]:
            assert rank == (12 if template != "image" else 26)
            continue
        probe = (clean if protocol == "P" else protected)[p].astype(float)
        people: dict[str, list[np.ndarray]] = {f"d{i}": [d.astype(float)] for i, d in enumerate(view.distractors)}
        for g in np.flatnonzero(cast.role == "gallery"):
            mine = protocol in ("P", "B") and cast.person[g] == cast.person[p]
            if not mine or seen[g]:
                people.setdefault(cast.person[g], []).append((protected if mine else clean)[g].astype(float))
        if template == "mean":
            people = {k: [np.mean(v, axis=0) / np.linalg.norm(np.mean(v, axis=0))] for k, v in people.items()}
        best = {k: max(float(probe @ v) for v in vs) for k, vs in people.items()}
        own = best[cast.person[p]]
        others = [best[k] for k in best if k != cast.person[p]]
        if template == "image":
            others = [float(probe @ v) for k, vs in people.items() if k != cast.person[p] for v in vs]
        assert rank == sum(score > own for score in others)


def test_t20_a_lost_face_is_not_found_and_never_pretends() -> None:
    cast = dataclasses.replace(a_cast(20, probes=1, gallery=1), target=np.full(40, "t0"))
    clean = photos_of(cast, 0.5)
    target = random_rows(1, 64, "t0")
    seen = np.ones(40, dtype=bool)
    seen[np.flatnonzero(cast.role == "probe")[:4]] = False
    plain, aimed = a_view(cast, clean, clean, found=seen), a_view(cast, np.tile(target, (40, 1)), clean, found=seen)
    found = Untargeted("toy").measure(evidence_of(cast, plain))
    assert found.value == pytest.approx(0.2)
    assert found.companions["fta"].value == 4
    assert found.companions["fta_excluded"].value == 0.0
    assert Untargeted("toy", fta="excluded").measure(evidence_of(cast, plain)).value == 0.0
    reached = Targeted("toy").measure(
        evidence_of(cast, dataclasses.replace(aimed, targets=target, target_person=np.array(["t0"])))
    )
    assert reached.companions["raw"].value == pytest.approx(0.8)


def test_a_target_who_is_in_the_gallery_is_one_person() -> None:
    cast = a_cast(10, probes=1, gallery=1)
    cast = dataclasses.replace(cast, target=np.where(cast.person == "p0000", "p0001", "p0000"))
    clean = photos_of(cast, 0.3)
    names = np.unique(cast.person)
    other = {str(n): clean[(cast.person == n) & (cast.role == "gallery")][0] for n in names}
    protected = np.stack([other[t] for t in cast.target])
    view = a_view(cast, protected, clean, targets={k: v for k, v in other.items() if k in ("p0000", "p0001")})
    found = Targeted("toy").measure(evidence_of(cast, view))
    assert found.value == 1.0
    assert found.companions["clean"].value == 0.0


def test_targets_without_a_photo_or_without_anybody_are_named() -> None:
    cast = a_cast(5)
    clean = photos_of(cast, 0.5)
    with pytest.raises(CannotMeasure, match="no_targets"):
        Targeted("toy").measure(evidence_of(cast, a_view(cast, clean, clean)))
    aimed = dataclasses.replace(cast, target=np.full(20, "t9"))
    with pytest.raises(CannotMeasure, match="no evaluation photo of target 't9'"):
        Targeted("toy").measure(evidence_of(aimed, a_view(aimed, clean, clean)))


def test_open_set_thresholds_resample_the_strangers() -> None:
    random = generator(0, "world", "open")
    highest, copies = np.round(random.random(50), 2), random.multinomial(50, np.full(50, 0.02), size=30)
    for tau, row in zip(replicate_taus(highest, copies, 0.1), copies, strict=True):
        assert tau == sorted(np.repeat(highest, row), reverse=True)[5]


def test_open_set_misses_the_turned_away_and_identifies_the_clear() -> None:
    cast = a_cast(40)
    clean = photos_of(cast, 0.5)
    evidence = evidence_of(cast, a_view(cast, -clean, clean))
    found = OpenSet("toy").measure(evidence)
    assert found.value == 1.0
    assert found.companions["clean"].value == 0.0
    units = found.companions["tau"].units
    assert units is not None
    assert units.value.std() > 0


def test_best_scores_are_the_best_photo_of_each_person() -> None:
    cast = a_cast(5, probes=1, gallery=3)
    clean = photos_of(cast, 1.0, 8)
    view = a_view(cast, clean, clean, distractors=2)
    who = enrolled(cast, evidence_of(cast, view).items.keys)
    photos, _ = photo_scores(view, who, None)
    assert best_scores(photos, who)[:, :5].tolist() == photos[:, :15].reshape(5, 5, 3).max(axis=2).tolist()
