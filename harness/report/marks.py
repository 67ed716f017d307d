"""Where two texts differ, word by word: what an output has that its reference lacks, and the reverse."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

WORDS = re.compile(r"\w+|\s+|[^\w\s]")
LINES = re.compile(r"[^\n]*\n|[^\n]+")
LONGEST = 4000  # characters of a text that a page shows
MOST_PAIRS = 40_000  # equal parts that may be compared; a text that repeats itself would take minutes


class Kind(StrEnum):
    SAME = "same"
    EXTRA = "extra"  # in the output only
    MISSING = "missing"  # in the reference only


@dataclass(frozen=True)
class Piece:
    kind: Kind
    text: str


def marked(output: str, reference: str) -> tuple[Piece, ...]:
    """The output cut into pieces. The non-missing pieces joined are the output; the non-extra ones the reference.

    By words; by lines, then as a whole, where too many words are the same.
    """
    a, b = parts(reference, output)
    pieces: list[Piece] = []
    for _, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        before, after = "".join(a[i:j]), "".join(b[k:m])
        if before == after:
            pieces.append(Piece(Kind.SAME, after))
            continue
        if before:
            pieces.append(Piece(Kind.MISSING, before))
        if after:
            pieces.append(Piece(Kind.EXTRA, after))
    return tuple(pieces)


def parts(reference: str, output: str) -> tuple[list[str], list[str]]:
    """Both texts cut alike, as finely as can be compared in a moment."""
    for part in (WORDS, LINES):
        a, b = part.findall(reference), part.findall(output)
        ours, theirs = Counter(a), Counter(b)
        if sum(n * theirs[word] for word, n in ours.items()) <= MOST_PAIRS:
            return a, b
    return [reference], [output]


def cut(text: str) -> str:
    """The text as far as a page shows it, with a word on what was left out."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n… {len(text) - LONGEST} more characters"
