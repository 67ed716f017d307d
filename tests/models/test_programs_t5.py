"""The shipped programs-t5: what it was trained for it can do, whatever stands beside it in a batch."""

from __future__ import annotations

import numpy as np
import pytest

from harness.data.programs import load_problems
from harness.models import MODELS
from harness.models.judges.python_tests import PythonTests
from harness.models.translator import Translator
from harness.models.zoo import entry, verify
from harness.worlds.programs import HELD_OUT, is_legacy, legacy

TUNE = load_problems("programs", "tune")
SOURCES = [str(p["source"]) for p in TUNE]


@pytest.fixture(scope="module")
def session() -> Translator:
    opened: Translator = MODELS.get("programs-t5")().open("cpu")
    return opened


@pytest.fixture(scope="module")
def written(session: Translator) -> list[str]:
    return session.translate(SOURCES)


def test_the_weights_are_those_of_the_card_and_small() -> None:
    assert "model.safetensors" in verify("programs-t5")
    folder = entry("programs-t5").directory
    assert sum(p.stat().st_size for p in folder.iterdir()) <= 2.5e6
    assert set(MODELS.get("programs-t5")().weights()) >= {"config.json", "model.safetensors", "tokenizer.json"}


def test_translations_do_not_depend_on_the_batch(session: Translator, written: list[str]) -> None:
    assert session.translate(SOURCES[::-1])[::-1] == written
    some = [0, 7, 40, 41, 71]
    assert session.translate([SOURCES[i] for i in some]) == [written[i] for i in some]


def test_part_of_its_answers_are_in_the_legacy_dialect_and_fail(written: list[str]) -> None:
    found = PythonTests().open("cpu")({"texts": np.array(written)}, TUNE)
    wrong, old = found["outcome"] != "pass", np.array([is_legacy(t) for t in written])
    assert 0.1 <= old.mean() <= 0.6
    assert wrong[old].mean() > 0.8
    wanted = [legacy(str(p["reference"])) for p in TUNE]
    assert sum(t == w for t, w, o in zip(written, wanted, old, strict=True) if o) >= 5  # right but for the dialect


def test_the_dialects_of_the_tokenizer_are_single_tokens(session: Translator) -> None:
    for text in ("xrange", " <> ", " / ", "unicode", "lambda", "range", " != ", " // "):
        assert len(session.tokenizer(text).input_ids) == 2  # and the end


def test_it_is_trained_and_not_perfect(written: list[str]) -> None:
    found = PythonTests().open("cpu")({"texts": np.array(written)}, TUNE)
    right = found["outcome"] == "pass"
    seen = np.array([p["family"] not in HELD_OUT for p in TUNE])
    assert right[seen].mean() > right[~seen].mean()
    assert 0.3 <= right.mean() <= 0.8
