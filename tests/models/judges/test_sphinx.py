"""pocketsphinx as a judge: it hears commands, whatever it heard before and whoever else is listening."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.metrics.error_rates import word_errors
from harness.models.judges import find, identity, opened
from harness.models.judges.sphinx import Sphinx, SphinxCommands, SphinxOpen, restricted
from harness.models.model import MissingWeights
from harness.options import build
from harness.worlds.speech import synthesise, utterances
from harness.worlds.speech.grammar import language, vocabulary

pytest.importorskip("pocketsphinx")
SPOKEN = utterances("tune", 8)


@pytest.fixture(scope="module")
def audio() -> dict[str, Any]:
    waves = [synthesise(u) for u in SPOKEN]
    lengths = np.array([len(w) for w in waves], dtype=np.int64)
    padded = np.zeros((len(waves), lengths.max()), dtype=np.int16)
    for row, wave in enumerate(waves):
        padded[row, : len(wave)] = wave
    return {"audio": padded, "lengths": lengths}


def rows(audio: dict[str, Any], order: Any) -> dict[str, Any]:
    return {name: array[order] for name, array in audio.items()}


def heard(name: str, audio: dict[str, Any]) -> list[str]:
    texts: list[str] = opened(name, "cpu")(audio, [{}] * len(audio["audio"]))["text"].tolist()
    return texts


@pytest.mark.parametrize(("name", "worst"), [("sphinx-commands", 0.15), ("sphinx-open", 0.35)])
def test_clean_commands_are_understood(name: str, worst: float, audio: dict[str, Any]) -> None:
    # measured over the 150 report utterances: about 0.04 and 0.2, a few of the tune utterances are read here
    errors, words = word_errors([u.text for u in SPOKEN], heard(name, audio), "basic-en-v1")
    assert errors.sum() / words.sum() <= worst


@pytest.mark.parametrize("name", ["sphinx-commands", "sphinx-open"])
def test_what_was_heard_before_changes_nothing(name: str, audio: dict[str, Any]) -> None:
    order = np.arange(len(SPOKEN))[::-1]
    forwards, backwards = heard(name, audio), heard(name, rows(audio, order))
    assert backwards[::-1] == forwards
    for row in (0, 5):
        fresh = find(name).open("cpu")(rows(audio, slice(row, row + 1)), [{}])["text"]
        assert fresh.tolist() == forwards[row : row + 1]


def test_listening_in_several_threads_gives_the_same_texts(audio: dict[str, Any]) -> None:
    alone = heard("sphinx-commands", audio)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda i: heard("sphinx-commands", rows(audio, slice(i, i + 2))), range(0, 8, 2)))
    assert [text for part in parts for text in part] == alone


def test_padding_and_emptiness_say_nothing(audio: dict[str, Any]) -> None:
    some = rows(audio, slice(0, 3))
    wider = {"audio": np.pad(some["audio"], ((0, 0), (0, 5000)), constant_values=999), "lengths": some["lengths"]}
    assert heard("sphinx-commands", wider) == heard("sphinx-commands", some)
    nothing = {"audio": np.zeros((2, 8000), dtype=np.int16), "lengths": np.array([0, 8000])}
    assert heard("sphinx-commands", nothing)[0] == ""


def test_the_grammar_hears_nothing_but_commands(audio: dict[str, Any]) -> None:
    assert set(heard("sphinx-commands", audio)) <= {*language(), ""}
    assert {w for text in heard("sphinx-open", audio) for w in text.split()} <= set(vocabulary())


def test_everything_that_decides_a_transcript_is_in_the_identity(tmp_path: Path) -> None:
    grammar = tmp_path / "yes.jsgf"
    grammar.write_text("#JSGF V1.0;\ngrammar yes;\npublic <y> = yes;\n")
    made = [SphinxCommands(), SphinxOpen(), Sphinx(), SphinxCommands(beam=1e-40), Sphinx(language=str(grammar))]
    known = {identity(j) for j in made}
    assert len(known) == len(made)
    grammar.write_text("#JSGF V1.0;\ngrammar yes;\npublic <y> = yes | no;\n")
    assert identity(made[-1]) not in known


def test_a_users_grammar_is_listened_with_and_a_missing_one_named(tmp_path: Path, audio: dict[str, Any]) -> None:
    grammar = tmp_path / "two.jsgf"
    grammar.write_text(f"#JSGF V1.0;\ngrammar two;\npublic <y> = {SPOKEN[0].text} | good morning;\n")
    listening = build(Sphinx, {"language": str(grammar)}).open("cpu")
    assert listening(rows(audio, slice(0, 1)), [{}])["text"].tolist() == [SPOKEN[0].text]
    absent = build(Sphinx, {"language": str(tmp_path / "none.lm")})
    assert "none.lm" in str(absent.missing()[0])
    with pytest.raises(MissingWeights):
        absent.open("cpu")


def test_only_words_of_the_commands_stay_in_the_dictionary() -> None:
    assert (
        restricted("box B AA K S\nboxer B AA K S ER\nthe DH AH\nthe(2) DH IY\n")
        == "box B AA K S\nthe DH AH\nthe(2) DH IY\n"
    )
