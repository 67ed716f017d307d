"""Where two texts differ, word by word: what an output has that its reference lacks, and the reverse."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

WORDS = re.compile(r"\w+|\s+|[^\w\s]")
LONGEST = 4000  # characters of a text that a page shows; comparing is quadratic in the worst case


class Kind(StrEnum):
    SAME = "same"
    EXTRA = "extra"  # in the output only
    MISSING = "missing"  # in the reference only


@dataclass(frozen=True)
class Piece:
    kind: Kind
    text: str


def marked(output: str, reference: str) -> tuple[Piece, ...]:
    """The output cut into pieces. The non-missing pieces joined are the output; the non-extra ones the reference."""
    a, b = WORDS.findall(reference), WORDS.findall(output)
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


def cut(text: str) -> str:
    """The text as far as a page shows it, with a word on what was left out."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n… {len(text) - LONGEST} more characters"
