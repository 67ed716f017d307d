"""Photographs of people: what they say of the manifest, that splits share nobody, that a camera varies."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.worlds.avatars import photos
from harness.worlds.avatars.draw import render


def test_the_manifest_names_the_people_of_every_split() -> None:
    assert json.loads(photos.MANIFEST.read_text()) == photos.build_manifest()


def test_splits_share_nobody() -> None:
    seen: set[bytes] = set()
    for split in ("evaluation", "targets", "decoys", "tuning"):
        shown = photos.photographs(split, None, 1)
        people = {row.tobytes() for row in shown.portraits.identity}
        assert len(people) == photos.SPLITS[split].people
        assert not people & seen
        seen |= people


def test_a_photograph_is_the_same_whatever_is_asked_for() -> None:
    few, more = photos.photographs("evaluation", 3, 2), photos.photographs("evaluation", 5, 4)
    rows = [0, 1, 4, 5, 8, 9]
    assert np.array_equal(few.pixels, more.pixels[rows])
    assert np.array_equal(few.person, more.person[rows])


def test_identity_and_fixed_looks_stay_and_the_rest_varies() -> None:
    shown = photos.photographs("evaluation", 20, 6)
    of = shown.person.reshape(20, 6)
    assert (of == of[:, :1]).all()
    identity = shown.portraits.identity.reshape(20, 6, -1)
    assert np.array_equal(identity, np.repeat(identity[:, :1], 6, axis=1))
    for name in ("skin", "hair_color", "hair_style"):
        labels = shown.portraits.labels[name].reshape(20, 6)
        assert (labels == labels[:, :1]).all()
    for name in ("expression", "glasses", "clothes"):
        labels = shown.portraits.labels[name].reshape(20, 6)
        assert (labels != labels[:, :1]).any()


def test_the_camera_adds_noise_and_compression_but_little() -> None:
    shown = photos.photographs("evaluation", 10, 2)
    clean = render(shown.portraits).astype(np.float64)
    error = np.sqrt(((shown.pixels - clean) ** 2).mean(axis=(1, 2, 3)))
    assert (error > 0.3).all()
    assert (error < 25.5).all()  # more than 20 dB: chroma subsampling blurs sharp edges


def test_more_than_a_split_has_is_refused() -> None:
    with pytest.raises(ValueError, match="has 40 people"):
        photos.photographs("targets", 41)
