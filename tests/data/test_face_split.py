"""Who plays which role: the rules R1 to R5, the same deal for the same manifest, and refusals that help."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.face_split import Dealt, Plan, TooFewPeople, deal


@dataclass(frozen=True)
class Photo:
    image_id: str
    person: str


def folder(*counts: int) -> list[Photo]:
    """Person k has counts[k] photographs."""
    return [Photo(f"{k:04d}/{i}.jpg", f"{k:04d}") for k, n in enumerate(counts) for i in range(n)]


def roles(photos: list[Photo], dealt: Dealt) -> dict[str, list[Photo]]:
    found: dict[str, list[Photo]] = defaultdict(list)
    for photo, role in zip(photos, dealt.roles, strict=True):
        found[role].append(photo)
    return found


COUNTS = st.lists(st.integers(1, 6), min_size=310, max_size=400)


@settings(max_examples=25)
@given(COUNTS, st.integers(1, 2), st.integers(1, 2), st.integers(0, 1), st.integers(0, 30))
def test_the_rules_hold_for_any_folder(counts: list[int], probes: int, gallery: int, other: int, targets: int) -> None:
    photos = folder(*counts)
    plan = Plan(probes=probes, gallery=gallery, other=other, fit=1, users=40, targets=targets)
    try:
        found = roles(photos, deal(photos, "manifest", 0, plan))
    except TooFewPeople:
        assert max(counts) < plan.photographs
        return
    people = {role: {p.person for p in rows} for role, rows in found.items() if role}
    users = people["probe"]
    for role in ("calib", "target_opt", "decoy", "distractor"):  # R1, and nobody is two kinds of person
        assert not users & people.get(role, set())
        others = [people.get(r, set()) for r in ("calib", "target_opt", "decoy", "distractor") if r != role]
        assert not any(people.get(role, set()) & o for o in others)
    assert len(people["calib"]) >= 300
    assert len(found["calib"]) == len(people["calib"])  # one photograph a person
    assert people["gallery"] == users  # R5
    assert people.get("target_opt", set()) == people.get("target_eval", set())
    assert len(found["target_opt"]) == len(found["target_eval"]) <= targets  # R3: two photographs, each once
    each = {r: [sum(p.person == u for p in found[r]) for u in users] for r in ("probe", "gallery", "other", "fit")}
    assert set(each["probe"]) == {probes}
    assert set(each["gallery"]) == {gallery}
    assert set(each["other"]) == {other}
    assert set(each["fit"]) == {1}  # R4: no photograph has two roles
    assert len(users) <= 40


def test_the_deal_depends_on_manifest_and_seed_alone() -> None:
    photos = folder(*[4] * 400)
    one = deal(photos, "m", 0)
    assert deal(photos, "m", 0) == one
    assert deal(photos, "m", 1).roles != one.roles
    assert deal(photos, "n", 0).roles != one.roles
    backwards = deal(photos[::-1], "m", 0)
    assert backwards.roles[::-1] == one.roles


def test_people_with_one_photograph_are_spent_first() -> None:
    photos = folder(*[1] * 320, *[3] * 60)
    dealt = deal(photos, "m", 0, Plan(targets=10, decoys=10))
    single = {p.person for p in folder(*[1] * 320)}
    found = roles(photos, dealt)
    assert {p.person for p in found["calib"]} <= single
    assert dealt.people["probe"] == 50  # 60 but for 10 targets: a single photograph can be neither
    assert dealt.people["calib"] == 300 + 5
    assert dealt.people["distractor"] == 5
    assert dealt.people["decoy"] == 10


def test_a_folder_with_too_few_people_says_what_is_still_possible() -> None:
    with pytest.raises(TooFewPeople) as error:
        deal(folder(*[5] * 37), "m", 0)
    assert "37 people" in str(error.value)
    assert "needs 300 people" in str(error.value)
    assert "Still possible: protected pictures" in str(error.value)
    dealt = deal(folder(*[5] * 37), "m", 0, Plan(far=None, targets=4, decoys=4))
    assert dealt.people["calib"] == 0
    assert dealt.people["probe"] == 29
    with pytest.raises(TooFewPeople, match="needs 1500 people"):
        deal(folder(*[2] * 1000), "m", 0, Plan(far=1e-4))
    with pytest.raises(TooFewPeople, match="nobody among 400 people has the 2 usable photographs"):
        deal(folder(*[1] * 400), "m", 0)


def test_a_calibration_in_one_s_own_folder_needs_one_person_more() -> None:
    with pytest.raises(TooFewPeople):
        deal(folder(*[2] * 300), "m", 0)
    dealt = deal(folder(*[2] * 301), "m", 0)
    assert (dealt.people["calib"], dealt.people["probe"]) == (300, 1)


@pytest.mark.parametrize(
    ("wrong", "message"), [({"probes": 0}, "at least one probe"), ({"far": 1e-5}, "no calibration")]
)
def test_a_plan_that_cannot_be_is_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan(**wrong)  # type: ignore[arg-type]
