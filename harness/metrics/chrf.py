"""Corpus chrF and chrF++, by sacrebleu; its signature stands in the id word for word.

F-score (β = 2) of character n-grams up to order 6, of summed integer counts; chrF++ adds words up to order 2. Interval
and items as for BLEU: a keyed bootstrap of problems, and sentence scores. White space counts for nothing, as in
sacrebleu's default, so indentation is not seen. Precision: exact counts. Source: metrics.md section 12. Traps: T61.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.metrics.bleu import agreed, empty_share
from harness.metrics.cluster_bootstrap import bootstrap
from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import Direction, Evidence, Measurement, Metric, MetricId, Need, metric
from harness.metrics.texts import outputs, references, streams
from harness.options import option
from harness.stats.units import Estimator


def counted(scorer: Any, hypotheses: Sequence[str], wanted: Sequence[tuple[str, ...]]) -> tuple[Ints, Floats]:
    """(N, 3 · orders) integer counts of every segment — its n-grams, its reference's, matches — and (N,) sentence
    scores. The counts are those of sacrebleu's own paired tests."""
    counts = scorer._extract_corpus_statistics(list(hypotheses), streams(wanted))
    scores = [scorer._compute_score_from_stats(row).score for row in counts]
    return np.array(counts, dtype=np.int64), np.array(scores, dtype=np.float64)


@metric(
    "chrf",
    unit="points of 100",
    direction=Direction.HIGHER,
    estimator=Estimator.RATIO,
    ideal=100.0,
    source="W15-3049, W17-4770; sacrebleu, W18-6319",
)
@dataclass(frozen=True)
class Chrf(Metric):
    """Corpus chrF of the generated texts, 0 … 100, under sacrebleu's signature; word_order 2 is chrF++."""

    word_order: int = option(0, unit="words", at_least=0, help="2 = chrF++", source="sacrebleu")
    references: int = option(1, at_least=1, help="references an item: part of sacrebleu's signature")

    def _scorer(self) -> Any:
        from sacrebleu.metrics.chrf import CHRF

        scorer: Any = CHRF(char_order=6, word_order=self.word_order, beta=2)
        scorer.num_refs = self.references
        return scorer

    def signature(self) -> str:
        """sacrebleu's own, word for word."""
        return str(self._scorer().get_signature())

    def identify(self, context: Sequence[tuple[str, str]] = ()) -> MetricId:
        return super().identify((("aggregation", "corpus"), ("sacrebleu", self.signature()), *context))

    def needs(self) -> tuple[Need, ...]:
        return (Need("outputs"), Need("references"))

    def measure(self, evidence: Evidence) -> Measurement:
        texts, wanted = outputs(evidence), references(evidence)
        agreed(wanted, self.references)
        scorer, items = self._scorer(), evidence.items
        counts, sentences = counted(scorer, texts, wanted)

        def corpus(rows: Ints) -> float:
            return float(scorer._compute_score_from_stats(counts[rows].sum(axis=0).tolist()).score)

        value = corpus(np.arange(len(texts)))
        units = bootstrap(items, value, corpus, evidence.seed, "chrf")
        own = (items.keys, items.clusters, sentences)
        return Measurement(value, len(texts), units, own, {"empty": empty_share(texts, evidence)})
