"""Code translation: programs of one language, answered by programs of another, told right by their unit tests.

Problems of the tune and report splits are disjoint, and so are the unit tests of each problem for tuning and for the
report. The cluster of all intervals is the problem. A user's problem whose reference fails its own tests is no problem:
it is left out before the run, and the report names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.methods.oracle import Answers, Losses
from harness.models import judges
from harness.options import option
from harness.tasks.retrofitting import Facts, Retrofitting

SPLITS = ("tune", "report")


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
    report_only = frozenset({"first"})

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Name → outcome of a user's problems whose reference fails its own tests; the world has none by its making."""
        from harness.data.programs import WORLD, load_problems
        from harness.models.judges.programs.references import unsound

        if self.problems == WORLD:
            return {}
        judge = judges.find(self.judge)
        return dict(found for split in SPLITS for found in unsound(load_problems(self.problems, split), judge))

    def notes(self) -> tuple[str, ...]:
        if not self.left_out:
            return ()
        names = ", ".join(f"{name} ({outcome})" for name, outcome in self.left_out.items())
        return (f"{len(self.left_out)} problems are left out: their references fail their own tests: {names}.",)

    @cached_property
    def _splits(self) -> dict[str, Facts]:
        from harness.data.programs import load_problems

        read = (load_problems(self.problems, split) for split in SPLITS)
        tune, report = ([p for p in problems if p["name"] not in self.left_out] for problems in read)
        if len(tune) < self.tune:
            less = f", {len(self.left_out)} problems of the file being left out" if self.left_out else ""
            raise ValueError(f"the tune split has {len(tune)} problems{less}; {self.tune} are asked for")
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
