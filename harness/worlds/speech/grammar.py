"""The commands of the speech world: four templates of slots, each slot a short list of words.

Every word stands in the CMU dictionary of pocketsphinx (a test holds this), so that a recogniser's errors are errors of
hearing. Words that sound alike are there on purpose (fifteen and fifty, pen and pan): a codec must not blur them.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

SLOTS: dict[str, tuple[str, ...]] = {
    "carry": ("put", "bring", "take", "send", "move"),
    "color": ("red", "blue", "green", "black", "white", "yellow", "brown", "pink"),
    "object": ("box", "cup", "key", "lamp", "chair", "ball", "pen", "pan", "book", "coat", "phone", "bag"),
    "towards": ("to", "from", "behind", "near"),
    "place": ("kitchen", "garden", "office", "bedroom", "garage", "station", "market", "school"),
    "device": ("heater", "radio", "oven", "alarm", "window", "fan"),
    "number": (
        *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
        *("thirteen", "fifteen", "sixteen", "nineteen", "thirty", "fifty", "sixty", "ninety"),
    ),
    "unit": ("percent", "minutes", "hours", "degrees"),
    "reach": ("call", "ask", "tell", "remind"),
    "name": ("peter", "alice", "robert", "maria", "david", "helen", "martin", "susan", "george", "laura"),
    "matter": ("meeting", "ticket", "letter", "dinner", "train", "doctor", "party", "money"),
    "look": ("find", "count", "show", "sell"),
    "objects": ("boxes", "cups", "keys", "lamps", "chairs", "balls", "pens", "books", "coats", "phones"),
}
"""Slot → its words, in a fixed order."""

TEMPLATES: tuple[str, ...] = (
    "{carry} the {color} {object} {towards} the {place}",
    "set the {device} to {number} {unit}",
    "{reach} {name} about the {matter}",
    "{look} {number} {color} {objects}",
)
"""Templates of the language; `{slot}` stands for one word of the slot."""


@dataclass(frozen=True)
class Template:
    """One template: its words and slots in order, and how many sentences it has."""

    parts: tuple[str, ...]

    @property
    def choices(self) -> tuple[tuple[str, ...], ...]:
        """The words possible at each position."""
        return tuple(SLOTS[p[1:-1]] if p.startswith("{") else (p,) for p in self.parts)

    @property
    def count(self) -> int:
        """Number of sentences."""
        return math.prod(len(words) for words in self.choices)

    def sentences(self) -> tuple[str, ...]:
        """All sentences, the last slot turning fastest."""
        return tuple(" ".join(words) for words in itertools.product(*self.choices))


def templates() -> tuple[Template, ...]:
    """The templates, taken apart."""
    return tuple(Template(tuple(text.split())) for text in TEMPLATES)


def vocabulary() -> tuple[str, ...]:
    """Every word of the language, sorted, once."""
    return tuple(sorted({word for template in templates() for words in template.choices for word in words}))


def language() -> tuple[str, ...]:
    """All sentences, template by template."""
    return tuple(sentence for template in templates() for sentence in template.sentences())


def jsgf(name: str = "commands") -> str:
    """The language as a JSGF grammar, one public rule, every alternative equally likely."""
    rules = "".join(f"<{slot}> = {' | '.join(words)};\n" for slot, words in SLOTS.items())
    bodies = " | ".join(f"( {text.replace('{', '<').replace('}', '>')} )" for text in TEMPLATES)
    return f"#JSGF V1.0;\ngrammar {name};\n{rules}public <command> = {bodies};\n"
