"""Historical bugs of text scores, as twins: the test of the real function rejects each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from harness.metrics.bleu import Bleu
from harness.metrics.code_tests import pass_at_k
from harness.metrics.metric import CannotMeasure, Evidence, Items


def items(count: int) -> Items:
    order = np.arange(count)
    return Items(order, np.zeros(count, dtype=np.int64), order, tuple("p" for _ in order))


def ours(texts: Sequence[str], references: Sequence[str]) -> float:
    evidence = Evidence(items(len(texts)), outputs=np.array(texts), references=tuple((r,) for r in references))
    return Bleu().measure(evidence).value


def cutting(texts: Sequence[str], references: Sequence[str]) -> float:
    """sacrebleu 2.6.0 on lists of unequal length: the longer one is cut without a word."""
    return BLEU().corpus_score(list(texts), [list(references)]).score


def averaging(texts: Sequence[str], references: Sequence[str]) -> float:
    """The mean of sentence scores, sold as BLEU."""
    scorer = BLEU(effective_order=True)
    return float(np.mean([scorer.sentence_score(t, [r]).score for t, r in zip(texts, references, strict=True)]))


Score = Callable[[Sequence[str], Sequence[str]], float]


def refuses_unequal_lists(score: Score) -> bool:
    try:
        score(["a b c d e"] * 2, ["a b c d e"] * 3)
    except (CannotMeasure, ValueError):
        return True
    return False


def is_a_corpus_score(score: Score) -> bool:
    texts, wanted = ["a b c d e f g h", "x"], ["a b c d e f g h", "y"]
    return score(texts, wanted) == pytest.approx(BLEU().corpus_score(texts, [wanted]).score)


def test_a_list_that_is_cut_is_rejected() -> None:  # T38
    assert refuses_unequal_lists(ours)
    assert not refuses_unequal_lists(cutting)


def test_a_mean_of_sentences_is_rejected() -> None:  # T36
    assert is_a_corpus_score(ours)
    assert not is_a_corpus_score(averaging)


def biased(n: int, passing: int, k: int) -> float:
    """1 - (1 - c/n)^k: draws with replacement, which underestimates pass@k."""
    return 1 - (1 - passing / n) ** k


def is_unbiased(estimate: Callable[[int, int, int], float]) -> bool:
    return estimate(10, 3, 5) == pytest.approx(0.9166667, abs=5e-8)


def test_draws_with_replacement_are_rejected() -> None:  # T65
    assert is_unbiased(pass_at_k)
    assert not is_unbiased(biased)
