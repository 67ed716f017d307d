"""The avatars world: keys, frequencies, drawing, identities, splits."""

from __future__ import annotations

import numpy as np
import pytest

from harness.worlds.avatars import dataset
from harness.worlds.avatars.attributes import (
    ATTRIBUTES,
    BY_NAME,
    CHARACTERS,
    OCCUPATION_BIAS,
    OCCUPATIONS,
    Portraits,
    character_identity,
    sample,
)
from harness.worlds.avatars.dataset import LeaveOut, has_concept
from harness.worlds.avatars.draw import render
from harness.worlds.avatars.identity import TRAITS, traits
from harness.worlds.avatars.people import people


def _with_label(portraits: Portraits, name: str, label: str) -> Portraits:
    labels = {k: v.copy() for k, v in portraits.labels.items()}
    labels[name][:] = BY_NAME[name].index(label)
    return Portraits(**{**portraits.__dict__, "labels": labels})


def test_the_same_key_draws_the_same_pictures_and_another_key_others() -> None:
    a, b, c = (render(sample(6, seed, "t")) for seed in (1, 1, 2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert a.shape == (6, 64, 64, 3)
    assert a.dtype == np.uint8


def test_a_portrait_has_the_same_pixels_alone_and_in_a_batch() -> None:
    portraits = sample(90, 3)
    whole = render(portraits)
    rows = np.array([0, 17, 89, 44])
    assert np.array_equal(render(portraits[rows]), whole[rows])
    assert np.array_equal(render(portraits[np.array([17])])[0], whole[17])


def test_declared_frequencies_stay_within_binomial_bounds() -> None:
    n = 6000
    portraits = sample(n, 5)
    free = portraits.occupation < 0  # an occupation fixes the garment
    for attribute in ATTRIBUTES:
        labels = portraits.labels[attribute.name]
        if attribute.name == "garment":
            labels = labels[free]
        share = np.bincount(labels, minlength=len(attribute.classes)) / len(labels)
        p = np.asarray(attribute.probabilities)
        assert np.all(np.abs(share - p) < 4.5 * np.sqrt(p * (1 - p) / len(labels))), attribute.name


def test_declared_attributes_do_not_depend_on_the_occupation_but_training_ones_do() -> None:
    for occupation, preferred in OCCUPATION_BIAS.items():
        given = {"occupation": occupation}
        declared, training = sample(900, 1, given=given), sample(900, 1, given=given, distribution="training")
        for name, label in preferred.items():
            k = BY_NAME[name].index(label)
            usual = BY_NAME[name].probabilities[k]
            assert abs(np.mean(declared.labels[name] == k) - usual) < 0.08
            assert np.mean(training.labels[name] == k) > usual + 0.25
        assert set(declared.labels["garment"]) == {BY_NAME["garment"].index(OCCUPATIONS[occupation])}


def test_given_classes_hold_and_unknown_ones_are_refused() -> None:
    portraits = sample(40, 1, given={"hat": "crown", "character": "Orla"})
    assert {portraits.classes(i)["hat"] for i in range(40)} == {"crown"}
    assert {portraits.classes(i)["hair_color"] for i in range(40)} == {"ginger"}
    for given in ({"hat": "helmet"}, {"shoes": "red"}, {"occupation": "king"}, {"character": "Nobody"}):
        with pytest.raises(ValueError, match="one of"):
            sample(2, 1, given=given)
    with pytest.raises(ValueError, match="declared or training"):
        sample(2, 1, distribution="other")  # type: ignore[arg-type]


def test_a_character_has_fixed_looks_and_one_identity() -> None:
    portraits = dataset.load(n=1000).portraits
    for name, looks in CHARACTERS.items():
        rows = np.flatnonzero(has_concept(portraits, "character", name))
        assert len(rows) > 5
        for row in rows:
            assert looks.items() <= portraits.classes(int(row)).items()
        assert np.array_equal(portraits.identity[rows], np.repeat(character_identity(name)[None], len(rows), 0))


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda a: a.name)
def test_every_class_of_an_attribute_changes_pixels(attribute: object) -> None:
    a = attribute if hasattr(attribute, "classes") else None
    assert a is not None
    base = sample(8, 7, given={"hat": "none"} if a.name != "hat" else {})
    pictures = [render(_with_label(base, a.name, label)).astype(int) for label in a.classes if a.name != "pose"]
    for i in range(len(pictures)):
        for j in range(i):
            changed = (np.abs(pictures[i] - pictures[j]).max(-1) > 24).mean(axis=(1, 2))
            assert np.all(changed > 0.004), (a.classes[i], a.classes[j])


def test_a_hat_changes_the_top_of_the_picture_and_not_the_garment() -> None:
    base = sample(12, 9, given={"style": "flat", "hair_style": "short"})
    without, crowned = (render(_with_label(base, "hat", h)).astype(int) for h in ("none", "crown"))
    difference = np.abs(without - crowned).max(-1)
    assert np.all(difference[:, :24].max(axis=(1, 2)) > 60)
    assert np.all(difference[:, 48:] == 0)


def test_the_pose_class_agrees_with_the_yaw() -> None:
    portraits = sample(300, 2)
    side = portraits.labels["pose"] - 1
    assert np.all(np.sign(portraits.yaw[side != 0]) == side[side != 0])
    assert np.all(np.abs(portraits.yaw[side == 0]) < 0.2)


def test_traits_stay_within_their_ranges_and_move_with_the_identity() -> None:
    identity = sample(500, 4).identity
    for (name, centre, half), values in zip(TRAITS, traits(identity).values(), strict=True):
        assert np.all(np.abs(values - centre) <= half + 1e-6), name
        assert values.std() > 0.3 * half
    with pytest.raises(ValueError, match="expected"):
        traits(identity[:, :3])


def test_pictures_of_one_person_share_the_identity_and_vary_in_the_rest() -> None:
    portraits, person = people(5, 8, 0)
    assert len(portraits) == 40
    assert np.array_equal(np.unique(person), np.arange(5))
    for k in range(5):
        own = portraits[person == k]
        assert np.all(own.identity == own.identity[0])
        for fixed in ("skin", "hair_color"):
            assert len(np.unique(own.labels[fixed])) == 1
        assert len(np.unique(own.yaw)) == 8
    assert len(np.unique(portraits.identity[:, 0])) == 5


def test_a_leave_out_removes_the_concept_and_moves_nothing_else() -> None:
    whole = dataset.load(n=600)
    left = dataset.load(n=600, leave_out=LeaveOut(concepts={"hat": "crown", "character": "Orla"}, images=(0, 1, 2)))
    gone = has_concept(whole.portraits, "hat", "crown") | has_concept(whole.portraits, "character", "Orla")
    gone[:3] = True
    assert np.array_equal(left.index, np.flatnonzero(~gone))
    assert not has_concept(left.portraits, "hat", "crown").any()
    assert np.array_equal(render(left.portraits[slice(0, 5)]), render(whole.portraits[left.index[:5]]))
    with pytest.raises(ValueError, match="the split has"):
        dataset.load(n=10, leave_out=LeaveOut(images=(10,)))


def test_a_shorter_split_is_the_beginning_of_a_longer_one_and_splits_differ() -> None:
    short, long = dataset.load(n=30).portraits, dataset.load(n=700).portraits
    assert np.array_equal(render(short), render(long[slice(0, 30)]))
    held_out = dataset.load("held_out", 700).portraits
    assert not np.isin(held_out.texture[:, 0], long.texture[:, 0]).any()
