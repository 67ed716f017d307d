"""Statistics files: what they must hold, what a user must state, and what names them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.files import MissingData
from harness.data.reader import BadImages
from harness.data.statistics import Stated, Statistics, read, write
from harness.metrics.feature_moments import FeatureMoments

ROWS = np.random.default_rng(4).normal(size=(40, 6)).astype(np.float32)
OURS = Stated(FeatureMoments.of(ROWS), "avatars", "12" * 16, ("png",))


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    write(tmp_path / "ours.npz", OURS)
    return tmp_path / "ours.npz"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """As clean-fid and pytorch-fid write them."""
    np.savez_compressed(tmp_path / "theirs.npz", mu=ROWS.mean(axis=0), sigma=np.cov(ROWS, rowvar=False))
    return tmp_path / "theirs.npz"


def test_a_written_file_is_read_back_whole(ours: Path) -> None:
    found = read(ours)
    assert (found.extractor, found.digest, found.kept_as, found.moments.n) == ("avatars", "12" * 16, ("png",), 40)
    assert found.moments.mean.tobytes() == OURS.moments.mean.tobytes()
    assert found.moments.covariance.tobytes() == OURS.moments.covariance.tobytes()


def test_writing_twice_gives_the_same_bytes_and_leaves_nothing_beside(ours: Path) -> None:
    before = ours.read_bytes()
    write(ours, OURS)
    assert ours.read_bytes() == before
    assert [p.name for p in ours.parent.glob("*.npz")] == ["ours.npz"]


def test_the_covariance_divides_by_n_minus_one_as_other_libraries_do(ours: Path) -> None:
    with np.load(ours) as file:
        assert file["sigma"] == pytest.approx(np.cov(ROWS.astype(np.float64), rowvar=False), rel=1e-12)


def test_a_foreign_file_is_read_with_what_the_user_states(theirs: Path) -> None:
    found = read(theirs, "inception-clean", 40)
    assert (found.extractor, found.digest, found.moments.n) == ("inception-clean", "", 40)
    assert found.moments.covariance == pytest.approx(OURS.moments.covariance, rel=1e-5)
    assert found.of("inception-clean", "anything")
    assert not found.of("inception-legacy_pytorch", "anything")
    named = read(theirs, "inception-clean@ab12", 40)
    assert named.of("inception-clean", "ab12" + "0" * 28)
    assert not named.of("inception-clean", "cd" * 16)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "neither extractor nor N; state them"),
        ({"extractor": "inception-clean"}, "neither extractor nor N; state them"),
        ({"n": 40}, "neither extractor nor N; state them"),
        ({"extractor": "inception-clean", "n": 1}, "moments of 1 images"),
    ],
)
def test_what_a_foreign_file_does_not_say_must_be_stated(theirs: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadImages, match=said):
        read(theirs, **given)


def test_nobody_can_state_something_else_than_our_file_says(ours: Path) -> None:
    with pytest.raises(BadImages, match="states its extractor and N itself"):
        read(ours, "inception-clean", 40)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"mu": np.zeros(3)}, "no array 'sigma'"),
        ({"mu": np.zeros(3), "sigma": np.eye(4)}, r"expected floats \(D,\) and \(D, D\)"),
        ({"mu": np.zeros(3, dtype=np.int64), "sigma": np.eye(3)}, "expected floats"),
        ({"mu": np.array([0.0, np.nan]), "sigma": np.eye(2)}, "NaN or infinity"),
        ({"mu": np.zeros(2), "sigma": np.array([[1.0, 0.5], [0.0, 1.0]])}, "not symmetric"),
        ({"mu": np.array([{}], dtype=object), "sigma": np.eye(1)}, "no readable npz"),
    ],
)
def test_what_is_no_mean_and_covariance_is_refused(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(BadImages, match=said):
        read(tmp_path / "wrong.npz", "avatars", 5)


def test_damage_and_absence_are_said(tmp_path: Path) -> None:
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(BadImages, match="no readable npz"):
        read(tmp_path / "half.npz", "avatars", 5)
    with pytest.raises(MissingData, match="harness statistics"):
        read(tmp_path / "gone.npz")
    assert "no statistics file" in Statistics(path=str(tmp_path / "gone.npz")).absent()


def test_content_names_the_set_and_its_place_does_not(ours: Path, make: Callable[..., Any]) -> None:
    one = make("statistics", path=str(ours))
    write(ours.with_name("copy.npz"), OURS)
    assert make("statistics", path=str(ours.with_name("copy.npz")), called="mine").digest(()) == one.digest(())
    changed = [
        replace(OURS, digest="34" * 16),
        replace(OURS, extractor="digits"),
        replace(OURS, moments=replace(OURS.moments, n=41)),
        replace(OURS, moments=replace(OURS.moments, mean=OURS.moments.mean + 1e-9)),
        replace(OURS, moments=replace(OURS.moments, covariance=2 * OURS.moments.covariance)),
    ]
    digests = {one.digest(())}
    for number, other in enumerate(changed):
        write(ours.with_name(f"{number}.npz"), other)
        digests.add(make("statistics", path=str(ours.with_name(f"{number}.npz"))).digest(()))
    assert len(digests) == 1 + len(changed)


def test_a_statistics_file_has_no_images(ours: Path, make: Callable[..., Any]) -> None:
    made = make("statistics", path=str(ours))
    assert (made.size(()), made.kept_as(()), made.mixes) == (40, frozenset({"png"}), False)
    with pytest.raises(BadImages, match="it serves Fréchet distances"):
        made.load(())
