"""Code translation: programs of one language, answered by programs of another, told right by their unit tests.

Problems of the tune and report splits are disjoint, and so are the unit tests of each problem for tuning and for the
report. The cluster of all intervals is the problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.methods.oracle import Answers, Losses
from harness.options import option
from harness.tasks.retrofitting import Facts, Retrofitting


@dataclass(frozen=True)
class CodeTranslation(Retrofitting):
    """Options of the task."""

    problems: str = option("programs", help="named problems, or a JSONL file; identified by its content", in_id=False)
    tune: int = option(60, unit="problems", at_least=1, help="problems of the tune split that a search may see")
    first: int | None = option(None, unit="problems", at_least=1, help="only the first so many report problems")
    loss: Literal["tests", "all", "bleu"] = option(
        "tests", help="of a tune item: share of failed tests, whether any failed, or 1 - sentence BLEU / 100"
    )
    judge: str = option("python-tests", help="what runs the programs for the loss")

    name = "code_translation"
    version = 1
    artifacts = frozenset({"texts"})
    cluster, item = "problem", "program"

    @cached_property
    def _splits(self) -> dict[str, Facts]:
        from harness.data.programs import load_problems

        tune, report = (load_problems(self.problems, split) for split in ("tune", "report"))
        if len(tune) < self.tune:
            raise ValueError(f"the tune split has {len(tune)} problems, {self.tune} are asked for")
        if shared := {p["name"] for p in tune} & {p["name"] for p in report}:
            raise ValueError(f"{len(shared)} problems are in both splits, {min(shared)} among them")
        return {"tune": tune[: self.tune], "report": report[: self.first]}

    def facts_of(self, split: str) -> Facts:
        return self._splits[split]

    def clusters(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        count = len(self.facts())
        return np.arange(count, dtype=np.int64), np.zeros(count, dtype=np.int64)

    def references(self) -> tuple[tuple[str, ...], ...]:
        return tuple((str(f["reference"]),) for f in self.facts())

    def feeds(self) -> frozenset[tuple[str, str]]:
        return frozenset((kind, "generated") for kind in ("outputs", "references", "judged", "search"))

    def answer(self, model: Any, split: str, rows: range, seed: int) -> Answers:
        facts = self.facts_of(split)
        return {"texts": np.array(model.translate([str(facts[i]["source"]) for i in rows]), dtype=np.str_)}

    def losses(self, answers: Answers, facts: Facts, judged: Answers) -> Losses:
        if self.loss == "bleu":
            return _bleu_losses(answers["texts"].tolist(), facts)
        failed: Losses = 1 - judged["passed"] / np.maximum(judged["tests"], 1)
        return failed if self.loss == "tests" else np.ceil(failed)


def _bleu_losses(texts: Sequence[str], facts: Facts) -> Losses:
    """1 - sentence BLEU / 100 with effective order, on the tokens of the target language."""
    from sacrebleu.metrics.bleu import BLEU

    from harness.metrics.lexer import tokens

    bleu = BLEU(tokenize="none", effective_order=True)
    pairs = ((" ".join(tokens(t)), [" ".join(tokens(str(f["reference"])))]) for t, f in zip(texts, facts, strict=True))
    return np.array([1 - min(100.0, bleu.sentence_score(h, r).score) / 100 for h, r in pairs])
