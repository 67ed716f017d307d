"""The digits world: manifest, split, enlargement, prompts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.worlds import digits
from harness.worlds.digits import data


def test_the_committed_manifest_is_what_its_rule_builds() -> None:
    assert json.loads(data.MANIFEST.read_text()) == data.build_manifest()


def test_the_halves_are_disjoint_stratified_and_complete() -> None:
    manifest = json.loads(data.MANIFEST.read_text())
    rows = {name: {row[0] for row in manifest[name]} for name in ("training", "held_out")}
    assert not rows["training"] & rows["held_out"]
    assert rows["training"] | rows["held_out"] == set(range(1797))
    hashes = {name: {row[1] for row in manifest[name]} for name in ("training", "held_out")}
    assert not hashes["training"] & hashes["held_out"]
    counts = [np.bincount(digits.load(name)[1]) for name in ("training", "held_out")]  # type: ignore[arg-type]
    assert np.all(np.abs(counts[0] - counts[1]) <= 1)


def test_changed_data_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = data._source()
    images = images.copy()
    images[5, 0, 0] ^= 1
    monkeypatch.setattr(data, "_source", lambda: (images, labels))
    with pytest.raises(ValueError, match="digit 5 of split"):
        digits.load("training")


def test_enlarging_keeps_a_flat_picture_flat_and_the_mean_ink() -> None:
    flat = np.full((1, 8, 8), 7, dtype=np.uint8)
    assert np.unique(data.enlarge(flat)).tolist() == [round(255 - 7 * 255 / 16)]
    images, _ = data._source()
    small = 255 - images[:50].astype(float) * 255 / 16
    assert np.abs(data.enlarge(images[:50])[..., 0].mean((1, 2)) - small.mean((1, 2))).max() < 4


def test_enlarging_is_not_shifted() -> None:
    dot = np.zeros((1, 8, 8), dtype=np.uint8)
    dot[0, 2, 5] = 16
    ink = 255 - data.enlarge(dot)[0, ..., 0].astype(float)
    rows, columns = (float((ink.sum(axis) * np.arange(32)).sum() / ink.sum()) for axis in (1, 0))
    assert abs(rows - 9.5) < 0.3
    assert abs(columns - 21.5) < 0.3


def test_prompts_name_their_digit() -> None:
    assert digits.caption(7) == "a handwritten seven"
    assert digits.expected("a handwritten seven") == {"digit": "seven"}
    assert digits.expected(digits.PROMPT_SETS["open"][0]) == {}
    assert [digits.expected(p)["digit"] for p in digits.PROMPT_SETS["digits"]][3] == "three"
    with pytest.raises(ValueError, match="held_out"):
        digits.load("test")  # type: ignore[arg-type]
