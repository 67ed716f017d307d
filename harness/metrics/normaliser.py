"""Text normalisers of error rates: named, versioned, hashed into the metric's id, applied to both sides.

A normaliser is a few rules, not code of its own, so its hash covers everything it does. Every normaliser turns all
Unicode white space into single spaces first (metrics.md T39: tabs and no-break spaces separate words). The Unicode
tables of the Python that runs it are part of the hash, since they decide what is a letter.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Literal

NormaliserName = Literal["spaces-v1", "basic-en-v1"]


@dataclass(frozen=True)
class Normaliser:
    """One list of rules, applied in the order of the fields.

    name         with its version
    apostrophes  characters that become '
    gone         Unicode categories whose characters vanish (Cf: zero-width and direction marks)
    form         Unicode normal form, "" for none
    lower        lower case
    blank        first letters of Unicode categories whose characters become spaces (P punctuation, S symbols)
    kept         characters exempt from `blank` between two letters or digits
    """

    name: str
    apostrophes: str = ""
    gone: tuple[str, ...] = ()
    form: str = ""
    lower: bool = False
    blank: str = ""
    kept: str = ""

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of the rules and the Unicode version."""
        text = json.dumps([asdict(self), unicodedata.unidata_version], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def __call__(self, text: str) -> str:
        """The text by the rules, words separated by one space, none at the ends."""
        text = text.translate({ord(c): "'" for c in self.apostrophes})
        text = "".join(c for c in text if unicodedata.category(c) not in self.gone)
        text = self._formed(text)
        if self.lower:
            text = self._formed(text.lower())
        characters = list(text)
        out = []
        for i, c in enumerate(characters):
            inside = 0 < i < len(characters) - 1 and characters[i - 1].isalnum() and characters[i + 1].isalnum()
            separates = unicodedata.category(c)[0] in self.blank and not (c in self.kept and inside)
            out.append(" " if separates else c)
        return " ".join("".join(out).split())

    def _formed(self, text: str) -> str:
        return unicodedata.normalize(self.form, text) if self.form else text  # type: ignore[arg-type]


NORMALISERS: dict[str, Normaliser] = {
    n.name: n
    for n in (
        Normaliser("spaces-v1"),
        Normaliser("basic-en-v1", "\u2018\u2019\u02bc`\u00b4", ("Cf",), "NFKC", True, "PS", "'"),
    )
}
"""spaces-v1: white space only. basic-en-v1: compatibility forms, lower case, no punctuation but word apostrophes."""


@lru_cache(maxsize=65536)
def normalised(text: str, name: str) -> str:
    """The text by the named normaliser. Raises KeyError naming the known ones."""
    return normaliser(name)(text)


def normaliser(name: str) -> Normaliser:
    """The normaliser of that name. Raises KeyError naming the known ones."""
    if name not in NORMALISERS:
        raise KeyError(f"no normaliser {name!r}; one of {', '.join(NORMALISERS)}")
    return NORMALISERS[name]


def is_cjk(text: str) -> bool:
    """Whether some character is of a script written without spaces between words: Han, Kana, Thai, Lao, Khmer, …"""
    return any(_unspaced(ord(c)) for c in text)


_RANGES = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai and Lao, Burmese, Khmer
    *((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9D)),  # Kana
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3134F)),  # Han
)


def _unspaced(code: int) -> bool:
    return any(low <= code <= high for low, high in _RANGES)
