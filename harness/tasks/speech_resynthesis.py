"""Speech re-synthesis: utterances that pass through a model and should still be understood.

The tune split and its recogniser are what a search sees; sentences of the splits are disjoint, and the report is read
by another recogniser. The cluster of all intervals is the sentence: its voices and noises are its samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.methods.oracle import Answers, Losses
from harness.options import option
from harness.tasks.retrofitting import Facts, Retrofitting


@dataclass(frozen=True)
class SpeechResynthesis(Retrofitting):
    """Options of the task. The loss of a tune item is its word error rate, at most 1."""

    utterances: str = option(
        "commands", help="named utterances, or a folder in LibriSpeech layout; identified by its content", in_id=False
    )
    tune: int = option(48, unit="utterances", at_least=1, help="utterances of the tune split that a search may see")
    first: int | None = option(None, unit="utterances", at_least=1, help="only the first so many report utterances")
    judge: str = option("sphinx-commands", help="the recogniser of the loss")
    normaliser: str = option("basic-en-v1", help="what is done to both texts before words are compared")

    name = "speech_resynthesis"
    version = 1
    artifacts = frozenset({"audio", "lengths"})
    cluster, item = "sentence", "utterance"
    report_only = frozenset({"first"})

    @cached_property
    def _splits(self) -> dict[str, Facts]:
        from harness.data.utterances import load_utterances

        tune, report = (load_utterances(self.utterances, split) for split in ("tune", "report"))
        if len(tune) < self.tune:
            raise ValueError(f"the tune split has {len(tune)} utterances, {self.tune} are asked for")
        if shared := {u["reference"] for u in tune} & {u["reference"] for u in report}:
            raise ValueError(f"{len(shared)} sentences are in both splits, {min(shared)!r} among them")
        return {"tune": tune[: self.tune], "report": report[: self.first]}

    def facts_of(self, split: str) -> Facts:
        return self._splits[split]

    def title(self, fact: Mapping[str, Any]) -> str:
        return str(fact["reference"])

    def clusters(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        sentences: dict[str, int] = {}
        seen: dict[str, int] = {}
        cluster, sample = [], []
        for fact in self.facts():
            text = str(fact["reference"])
            cluster.append(sentences.setdefault(text, len(sentences)))
            sample.append(seen.setdefault(text, 0))
            seen[text] += 1
        return np.array(cluster, dtype=np.int64), np.array(sample, dtype=np.int64)

    def references(self) -> tuple[tuple[str, ...], ...]:
        return tuple((str(f["reference"]),) for f in self.facts())

    def feeds(self) -> frozenset[tuple[str, str]]:
        return frozenset((kind, "generated") for kind in ("references", "judged", "search"))

    def answer(self, model: Any, split: str, rows: range, seed: int) -> Answers:
        facts = self.facts_of(split)
        longest = max(len(f["audio"]) for f in facts)
        audio = np.zeros((len(rows), longest), dtype=np.int16)
        lengths = np.array([len(facts[i]["audio"]) for i in rows], dtype=np.int64)
        for row, i in enumerate(rows):
            audio[row, : lengths[row]] = facts[i]["audio"]
        return {"audio": model.resynthesise(audio, lengths), "lengths": lengths}

    def losses(self, answers: Answers, facts: Facts, judged: Answers) -> Losses:
        from harness.metrics.error_rates import word_errors

        references = [str(f["reference"]) for f in facts]
        errors, words = word_errors(references, judged["text"].tolist(), self.normaliser)
        rates: Losses = errors / np.maximum(words, 1)
        return np.minimum(rates, 1.0)
