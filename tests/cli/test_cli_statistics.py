"""`harness statistics`: a suite's reference as a file that the next suite names, without a model being opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import harness
from harness.data.statistics import Statistics


@pytest.fixture
def suite(folder: Path) -> Path:
    text = (folder / "small.yaml").read_text(encoding="utf-8")
    (folder / "measured.yaml").write_text(text + "data: {reference: {name: avatars/heldout, n: 8}}\n", encoding="utf-8")
    return folder


def test_the_file_is_the_suites_reference_and_loads_in_its_place(suite: Path, call: Callable[..., Result]) -> None:
    result = call("statistics", "measured.yaml", "--extractor", "avatars", "--to", "made.npz", "--json")
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert (facts["n"], facts["extractor"], facts["role"]) == (8, "avatars", "reference")
    with np.load("made.npz") as file:
        assert file["mu"].shape == (facts["dimension"],)
    loaded = harness.load_suite("measured.yaml", ["data.reference={name: statistics, path: made.npz}"])
    reference = loaded.image_sets["reference"]
    assert isinstance(reference, Statistics)
    assert (reference.size(()), reference.stated.digest) == (8, facts["digest"])


def test_it_says_in_a_line_what_was_written(suite: Path, call: Callable[..., Result]) -> None:
    result = call("statistics", "measured.yaml", "--extractor", "avatars", "--to", "to/made.npz")
    assert "8 images of reference through avatars@" in result.stdout
    assert Path("to/made.npz").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--extractor", "avatars", "--to", "made.txt"], "no name of an npz file"),
        (["--extractor", "avatars", "--to", "made.npz", "--role", "referense"], "did you mean 'reference'?"),
        (["--extractor", "avatar", "--to", "made.npz"], "did you mean 'avatars'?"),
        (["--extractor", "latent", "--to", "made.npz"], "latents belong to a suite's model"),
    ],
)
def test_what_is_wrong_is_said_with_the_nearest_right(
    arguments: list[str], says: str, suite: Path, call: Callable[..., Result]
) -> None:
    result = call("statistics", "measured.yaml", *arguments)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())
    assert not list(suite.glob("*.npz"))
