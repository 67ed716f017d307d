"""Corpus BLEU-4, by sacrebleu; its signature stands in the id word for word.

BLEU is a function of summed integer counts, not a mean of sentences: the interval is a bootstrap of problems, paired by
the same keyed draws for every method, and the items are sentence scores with effective order, for flips and tables.
Code is cut by the fixed lexer and scored with tokenize none. An empty text counts as 0 and is counted in `empty`.
Precision: exact counts; score to 1e-8 of sacrebleu. Source: metrics.md section 12. Traps: T35 to T38.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.metrics import lexer as code
from harness.metrics.cluster_bootstrap import bootstrap
from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import (
    CannotMeasure,
    Direction,
    Evidence,
    Measurement,
    Metric,
    MetricId,
    Need,
    ScoreStatus,
    metric,
)
from harness.metrics.texts import outputs, references
from harness.options import OptionError, Problem, option
from harness.stats.units import Estimator, UnitKind, Units

ORDER = 4


def cut(text: str, lexer: str) -> str:
    """The text as the scorer of tokens reads it."""
    return " ".join(code.tokens(text)) if lexer == "code" else text


def counted(hypotheses: Sequence[str], wanted: Sequence[Sequence[str]], tokenize: str) -> tuple[Ints, Floats]:
    """(N, 2 + 2 · 4) integer counts of every segment — its length, its closest reference's, matches and n-grams of
    order 1 to 4 — and (N,) sentence scores with effective order, 0 … 100."""
    from sacrebleu.metrics.bleu import BLEU

    scorer = BLEU(tokenize=tokenize, effective_order=True, force=True)
    scores = [scorer.sentence_score(h, list(r)) for h, r in zip(hypotheses, wanted, strict=True)]
    rows = [[s.sys_len, s.ref_len, *s.counts, *s.totals] for s in scores]
    return np.array(rows, dtype=np.int64), np.array([s.score for s in scores])


def corpus_bleu(counts: Ints, smooth: str = "exp") -> float:
    """BLEU of segments with `counts` (N, 10), 0 … 100."""
    from sacrebleu.metrics.bleu import BLEU

    total = counts.sum(axis=0).tolist()
    found = BLEU.compute_bleu(
        correct=total[2 : 2 + ORDER],
        total=total[2 + ORDER :],
        sys_len=total[0],
        ref_len=total[1],
        smooth_method=smooth,
        effective_order=False,
    )
    return float(found.score)


def empty_share(texts: Sequence[str], evidence: Evidence) -> Measurement:
    """Share of items whose generated text is empty."""
    value = np.array([not t.strip() for t in texts], dtype=np.float64)
    units = Units(UnitKind.ITEMS, evidence.items.keys, evidence.items.clusters, value)
    return Measurement(float(value.mean()), len(value), units)


def agreed(counts: Sequence[tuple[str, ...]], declared: int) -> None:
    """Raises CannotMeasure where items have another number of references than the id says."""
    if len(counts[0]) != declared:
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH,
            f"items have {len(counts[0])} references, the metric is declared for {declared}: set references",
        )


@metric(
    "bleu",
    unit="points of 100",
    direction=Direction.HIGHER,
    estimator=Estimator.RATIO,
    ideal=100.0,
    source="P02-1040; sacrebleu, W18-6319",
)
@dataclass(frozen=True)
class Bleu(Metric):
    """Corpus BLEU-4 of the generated texts, 0 … 100, under sacrebleu's signature."""

    tokenize: Literal["13a", "none", "intl", "char"] = option("13a", help="sacrebleu's tokeniser", source="sacrebleu")
    lexer: Literal["none", "code"] = option(
        "none", help="code: tokens of the fixed lexer, tokenize none", source="ours"
    )
    references: int = option(1, at_least=1, help="references an item: part of sacrebleu's signature")

    def __post_init__(self) -> None:
        if self.lexer == "code" and self.tokenize != "none":
            raise OptionError([Problem(("tokenize",), "must be none where the lexer cuts: tokens would be cut twice")])

    def identify(self, context: Sequence[tuple[str, str]] = ()) -> MetricId:
        lexed = (("tokens", code.VERSION),) if self.lexer == "code" else ()
        return super().identify((("aggregation", "corpus"), *lexed, ("sacrebleu", self.signature()), *context))

    def signature(self) -> str:
        """sacrebleu's own, word for word."""
        from sacrebleu.metrics.bleu import BLEU

        scorer: Any = BLEU(tokenize=self.tokenize)
        scorer.num_refs = self.references
        return str(scorer.get_signature())

    def needs(self) -> tuple[Need, ...]:
        return (Need("outputs"), Need("references"))

    def measure(self, evidence: Evidence) -> Measurement:
        texts, wanted = outputs(evidence), references(evidence)
        agreed(wanted, self.references)
        cut_texts = [cut(t, self.lexer) for t in texts]
        counts, sentences = counted(cut_texts, [[cut(r, self.lexer) for r in rs] for rs in wanted], self.tokenize)
        value, items = corpus_bleu(counts), evidence.items
        units = bootstrap(items, value, lambda rows: corpus_bleu(counts[rows]), evidence.seed, "bleu")
        length = Measurement(float(counts[:, 0].sum() / max(1, counts[:, 1].sum())), len(texts), None)
        return Measurement(
            value,
            len(texts),
            units,
            (items.keys, items.clusters, sentences),
            {"empty": empty_share(texts, evidence), "length_ratio": length},
        )
