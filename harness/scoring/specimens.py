"""Specimens: what came out of a cell that makes no images, with what was asked and what the report's judges said of it.

The record of a run says what was asked (small) and where the judgements lie in the store; the outputs themselves stay
in the store and are read when a report or an export wants them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.engine.cell import digest_of
from harness.engine.store import Store
from harness.metrics.metric import Metric
from harness.scoring.evidence import Source

RATE = 16_000  # samples a second of all stored audio
INPUTS = "inputs"  # kind of stored arrays: the audio that a task gave


@dataclass(frozen=True)
class Specimens:
    """The outputs of one cell, item by item. All sequences have N entries.

    keys        "cluster/sample", as in the items frame;  titles: what the cluster is called
    sources     what was given as text, "" where it was none;  references: what was wanted
    texts       generated texts, or None
    audio       (N, T) int16 with lengths (N,) in samples, or None;  given: the same of what went in, or None
    judged      judge → array name → (N,): "text" of a recogniser; "outcome", "passed", "tests" of a runner
    """

    keys: tuple[str, ...]
    titles: tuple[str, ...]
    sources: tuple[str, ...]
    references: tuple[str, ...]
    texts: tuple[str, ...] | None = None
    audio: NDArray[np.int16] | None = None
    lengths: NDArray[np.int64] | None = None
    given: tuple[NDArray[np.int16], NDArray[np.int64]] | None = None
    rate: int = RATE
    judged: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)

    def sound(self, i: int) -> NDArray[np.int16]:
        """(t,) samples of item i. Raises ValueError without audio."""
        if self.audio is None or self.lengths is None:
            raise ValueError("no sound here")
        samples: NDArray[np.int16] = self.audio[i, : int(self.lengths[i])]
        return samples

    def given_sound(self, i: int) -> NDArray[np.int16] | None:
        """(t,) samples of what item i was made from, None where that was no sound."""
        return None if self.given is None else self.given[0][i, : int(self.given[1][i])]


def specimens_record(source: Source, metrics: Sequence[Metric], cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What run.json keeps: items with what was asked, and by cell where each judge's words lie; {} for image tasks."""
    task = source.task
    if "images" in task.artifacts or not task.artifacts & {"texts", "audio"}:
        return {}
    facts, names, clusters = task.facts(), task.texts(), task.items().prompt
    judges = list(dict.fromkeys(n.name for m in metrics for n in m.needs() if n.kind == "judged"))
    done = [str(c["cell"]) for c in cells if c["status"] == "ok"]
    given = ""
    if facts and "audio" in facts[0]:
        given = digest_of({"inputs": task.content(), "what": "audio"})
        source.store.derived(given, lambda: _padded([f["audio"] for f in facts]), kind=INPUTS)
    return {
        "keys": source.items().keys.tolist(),
        "titles": [title(names[c], f) for c, f in zip(clusters, facts, strict=True)],
        "sources": [str(f.get("source", "")) for f in facts],
        "references": [str(f.get("reference", "")) for f in facts],
        "given": given,
        "judged": {a: {j: source.judgement(j, source.store.content(a)) for j in judges} for a in done},
    }


def title(name: str, fact: Mapping[str, Any]) -> str:
    """The cluster's name, with who speaks where that is known: items of a sentence differ in it."""
    voice = fact.get("voice") or fact.get("speaker")
    return f"{name} · {voice}" if voice else name


def specimens_of(store: Store, record: Mapping[str, Any], address: str) -> Specimens:
    """The outputs of a cell. Raises KeyError where the store, or the run, has none."""
    stored = store.cell(address)
    if not record or stored is None:
        raise KeyError(f"cell {address} has no texts or sound in the store")
    arrays = stored.arrays(*(n for n in ("texts", "audio", "lengths") if n in stored.names))
    judged = {}
    for judge, key in record["judged"].get(address, {}).items():
        try:
            judged[judge] = store.derived(key, _absent, kind="judgements")
        except KeyError:
            continue  # scored elsewhere, or the store was cleared: the outputs are still worth showing
    given = None
    if record.get("given"):
        try:
            sound = store.derived(record["given"], _absent, kind=INPUTS)
            given = sound["audio"], sound["lengths"]
        except KeyError:
            given = None
    texts = arrays.get("texts")
    return Specimens(
        keys=tuple(record["keys"]),
        titles=tuple(record["titles"]),
        sources=tuple(record["sources"]),
        references=tuple(record["references"]),
        texts=None if texts is None else tuple(str(t) for t in texts),
        audio=arrays.get("audio"),
        lengths=arrays.get("lengths"),
        given=given,
        judged=judged,
    )


def _absent() -> dict[str, NDArray[Any]]:
    raise KeyError("not in the store")


def _padded(sounds: Sequence[NDArray[np.int16]]) -> dict[str, NDArray[Any]]:
    lengths = np.array([len(s) for s in sounds], dtype=np.int64)
    audio = np.zeros((len(sounds), int(lengths.max())), dtype=np.int16)
    for row, sound in zip(audio, sounds, strict=True):
        row[: len(sound)] = sound
    return {"audio": audio, "lengths": lengths}
