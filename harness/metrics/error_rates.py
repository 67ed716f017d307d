"""Edit counts behind word and character error rates: integers of each pair, never a rate of floats.

A count is the least number of substitutions, deletions and insertions that turn the reference into the hypothesis, on
lists of tokens, by rapidfuzz; parity with jiwer 4 is a test. Sums over items are exact, so shards and orders agree.
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
    from rapidfuzz.distance import Levenshtein

    if len(references) != len(hypotheses):
        raise ValueError(f"{len(hypotheses)} hypotheses for {len(references)} references: each needs its own")
    rows = np.zeros((4, len(references)), dtype=np.int64)
    for i, (reference, hypothesis) in enumerate(zip(references, hypotheses, strict=True)):
        wanted, found = (tokens(normalised(str(text), normaliser), unit) for text in (reference, hypothesis))
        tags = [edit.tag for edit in Levenshtein.editops(wanted, found)] if wanted != found else []
        rows[:, i] = tags.count("replace"), tags.count("delete"), tags.count("insert"), len(wanted)
    return Counts(*rows)


def word_errors(references: Sequence[str], hypotheses: Sequence[str], normaliser: str) -> tuple[Ints, Ints]:
    """(errors, words of the reference), (N,) int64 each. Raises ValueError as `counts` does."""
    found = counts(references, hypotheses, normaliser, "word")
    return found.errors, found.length
