"""Specimens through a store: outputs, what was asked, what judges said, and what is left when the store was cleared."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from harness.engine.cell import digest_of
from harness.engine.store import Store
from harness.metrics.metric import Items, Need
from harness.scoring.specimens import INPUTS, specimens_of, specimens_record, title

AUDIO = [np.arange(5, dtype=np.int16), np.arange(3, dtype=np.int16) - 9]


@dataclass
class Said:
    """A task of two utterances, or of two texts."""

    artifacts: frozenset[str]
    with_audio: bool = True

    def facts(self) -> Any:
        audio = [{"audio": a} for a in AUDIO] if self.with_audio else [{}, {}]
        return tuple({"reference": f"r{i}", "source": f"s{i}", "voice": "anna", **a} for i, a in enumerate(audio))

    def texts(self) -> tuple[str, ...]:
        return ("only",)

    def items(self) -> Items:
        return Items(np.zeros(2, dtype=np.int64), np.arange(2), np.zeros(2, dtype=np.int64), self.texts())

    def content(self) -> dict[str, str]:
        return {"report": "abc"}


@dataclass
class Given:
    """What specimens need of a source."""

    store: Store
    task: Said

    def items(self) -> Items:
        return self.task.items()

    def judgement(self, name: str, content: str) -> str:
        return digest_of({"judge": name, "content": content})


class Reads:
    def needs(self) -> tuple[Need, ...]:
        return (Need("judged", name="ear"), Need("references"))


@dataclass
class Cell:
    """A stored cell of texts or sound."""

    made: dict[str, Any]
    content: str = "c0"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.made)

    def arrays(self, *names: str) -> dict[str, Any]:
        return {n: self.made[n] for n in names}


@pytest.fixture
def store(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store(tmp_path)
    cells = {"a": Cell({"audio": np.ones((2, 5), dtype=np.int16), "lengths": np.array([5, 3])})}
    monkeypatch.setattr(store, "cell", cells.get)
    monkeypatch.setattr(store, "content", lambda address: cells[address].content)
    return store


def record_of(store: Store, **task: Any) -> dict[str, Any]:
    source = Given(store, Said(frozenset({"audio", "lengths"}), **task))
    return specimens_record(source, [Reads()], [{"cell": "a", "status": "ok"}, {"cell": "b", "status": "failed"}])  # type: ignore[arg-type, list-item]


def test_what_was_asked_and_said_is_read_back(store: Store) -> None:
    record = record_of(store)
    key = record["judged"]["a"]["ear"]
    store.derived(key, lambda: {"text": np.array(["x", "y"])}, kind="judgements")
    found = specimens_of(store, record, "a")
    assert found.keys == ("0000/0000", "0000/0001")
    assert (found.references, found.sources) == (("r0", "r1"), ("s0", "s1"))
    assert found.titles == ("only · anna",) * 2
    assert found.judged["ear"]["text"].tolist() == ["x", "y"]
    assert found.sound(1).tolist() == [1, 1, 1]
    for i, audio in enumerate(AUDIO):
        assert np.array_equal(found.given_sound(i), audio)
    assert list(record["judged"]) == ["a"]  # a failed cell has nothing to show


def test_outputs_are_shown_though_judgements_and_inputs_are_gone(store: Store) -> None:
    record = record_of(store)
    shutil.rmtree(store.root / INPUTS)
    found = specimens_of(store, record, "a")
    assert (found.judged, found.given) == ({}, None)
    assert found.given_sound(0) is None


def test_a_cell_or_run_without_outputs_has_no_specimens(store: Store) -> None:
    for record, address in ((record_of(store), "gone"), ({}, "a")):
        with pytest.raises(KeyError, match="no texts or sound"):
            specimens_of(store, record, address)


def test_runs_of_images_keep_no_record(store: Store) -> None:
    assert specimens_record(Given(store, Said(frozenset({"images", "latents"}))), [], []) == {}  # type: ignore[arg-type]


def test_titles_say_who_speaks_where_that_is_known() -> None:
    assert title("open the door", {"voice": "en-gb"}) == "open the door · en-gb"
    assert title("scale", {}) == "scale"
