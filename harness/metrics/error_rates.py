"""Edit counts behind word and character error rates: integers of each pair, never a rate of floats.

A count is the least number of substitutions, deletions and insertions that turn the reference into the hypothesis, on
lists of tokens, by jiwer; its own normalisation is switched off, since the id says which one was used (normaliser.py).
Sums over items are exact, so shards and orders agree.
Traps (metrics.md 14): pairs cut to the shorter list, distances on characters where words are meant, white space other
than the space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.normaliser import is_cjk, normalised

Ints = NDArray[np.int64]
Unit = Literal["word", "character", "mixed"]
EDITS = ("substitute", "delete", "insert")
BETWEEN = "\x1f"  # tokens, on their way through jiwer: the unit separator stands in no text


@dataclass(frozen=True)
class Counts:
    """Edits of each pair, (N,) int64 each; `length` are the tokens of the reference."""

    substitutions: Ints
    deletions: Ints
    insertions: Ints
    length: Ints

    @property
    def errors(self) -> Ints:
        """All edits."""
        return self.substitutions + self.deletions + self.insertions


def tokens(text: str, unit: Unit) -> list[str]:
    """Tokens of a normalised text. word: by spaces; character: every one, spaces among them; mixed: each character of
    a script without spaces between words, and other words whole."""
    if unit == "character":
        return list(text)
    words = text.split(" ") if text else []
    if unit == "word":
        return words
    found = []
    for word in words:
        run = ""
        for c in word:
            if is_cjk(c):
                found += [run, c] if run else [c]
                run = ""
            else:
                run += c
        found += [run] if run else []
    return found


def natural_unit(references: Sequence[str]) -> Unit:
    """The unit where nobody chose one: characters if a reference has a script without spaces, else words."""
    return "character" if any(is_cjk(text) for text in references) else "word"


def counts(references: Sequence[str], hypotheses: Sequence[str], normaliser: str, unit: Unit) -> Counts:
    """Edits from each reference to its hypothesis, both normalised. Raises ValueError for lists of unequal length."""
    import jiwer

    if len(references) != len(hypotheses):
        raise ValueError(f"{len(hypotheses)} hypotheses for {len(references)} references: each needs its own")
    wanted, found = (
        [tokens(normalised(str(text), normaliser), unit) for text in side] for side in (references, hypotheses)
    )
    rows = np.zeros((4, len(wanted)), dtype=np.int64)
    rows[3] = [len(row) for row in wanted]
    if wanted:
        as_they_are = jiwer.ReduceToListOfListOfWords(word_delimiter=BETWEEN)
        sides = [[BETWEEN.join(row) for row in side] for side in (wanted, found)]
        aligned = jiwer.process_words(*sides, reference_transform=as_they_are, hypothesis_transform=as_they_are)
        for i, chunks in enumerate(aligned.alignments):
            for kind, row in (("substitute", 0), ("delete", 1), ("insert", 2)):
                spans = [
                    (c.ref_end_idx - c.ref_start_idx, c.hyp_end_idx - c.hyp_start_idx) for c in chunks if c.type == kind
                ]
                rows[row, i] = sum(max(span) for span in spans)
    return Counts(*rows)


def word_errors(references: Sequence[str], hypotheses: Sequence[str], normaliser: str) -> tuple[Ints, Ints]:
    """(errors, words of the reference), (N,) int64 each. Raises ValueError as `counts` does."""
    found = counts(references, hypotheses, normaliser, "word")
    return found.errors, found.length
