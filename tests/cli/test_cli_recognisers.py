"""`harness list recognisers` and `describe`: shipped, published and the user's own, without any of their weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Call = Callable[..., Result]


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder with one good and one wrong declaration."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("HARNESS_WEIGHTS", str(folder))
    good = "recogniser: onnx-file\nfile: net.onnx\nlineage: {architecture: mobilenet}\nlicence: MIT\n"
    (folder / "mine.recogniser.yaml").write_text(good)
    (folder / "wrong.recogniser.yaml").write_text("recogniser: onnx-file\nfil: net.onnx\n")
    return folder


def test_shipped_and_declared_recognisers_are_listed(weights: Path, call: Call) -> None:
    records = {r["name"]: r for r in json.loads(call("list", "recognisers", "--json").stdout)}
    assert records["avatars-vit"]["kind"] == "recogniser"
    assert "mobilenet" in records["mine"]["summary"]
    assert not records["mine"]["broken"]
    assert records["wrong"]["broken"]
    assert "did you mean 'file'" in records["wrong"]["summary"]
    assert str(weights / "wrong.recogniser.yaml") in records["wrong"]["summary"]


def test_a_page_says_family_identity_gradients_and_what_is_missing(weights: Path, call: Call) -> None:
    (card,) = json.loads(call("describe", "mine", "--json").stdout)
    assert card["facts"]["gradients"] == "yes"
    assert "architecture mobilenet" in card["facts"]["family"]
    assert card["facts"]["licence"] == "MIT"
    assert len(card["facts"]["identity"]) == 32
    assert str(weights / "net.onnx") in card["problems"][0]
    (card,) = json.loads(call("describe", "dlib-resnet", "--json").stdout)
    assert card["facts"]["gradients"] == "no: a target, not a surrogate"
    (card,) = json.loads(call("describe", "onnx-file", "--json").stdout)
    assert {p["name"] for p in card["parameters"]} >= {"file", "side", "order", "mean", "std", "flip", "align"}
    (card,) = json.loads(call("describe", "wrong", "--json").stdout)
    assert "did you mean 'file'" in card["problems"][0]
