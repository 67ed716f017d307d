"""The caption grammar: portraits to text, and text back to what it states.

A caption is `[a STYLE] portrait of SUBJECT` and fragments, each stating one attribute (hair states two). What is not
stated is open. Captions carry a reporting bias, as people's captions do: what is usual (`USUAL`) is mentioned less
often, so the pictures behind an open caption are more usual than the world; guidance exaggerates that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.worlds.avatars.attributes import (
    ATTRIBUTES,
    BY_NAME,
    CHARACTER_NAMES,
    CHARACTERS,
    OCCUPATION_NAMES,
    OCCUPATIONS,
    Portraits,
)

Detail = Literal["full", "partial", "open"]

# The class of each attribute that captions tend to leave unsaid.
USUAL: dict[str, str] = {
    "style": "flat", "skin": "fair", "hair_color": "brown", "hair_style": "short", "glasses": "none", "hat": "none",
    "expression": "smiling", "clothes": "navy", "background": "sky", "pose": "front", "garment": "sweater",
}  # fmt: skip
# Probability that an attribute is mentioned: (unusual class, usual class).
MENTION: dict[str, tuple[float, float]] = {"full": (1.0, 1.0), "partial": (0.6, 0.2), "open": (0.3, 0.04)}

_HAIR_WORDS = {"short": "short", "bob": "bobbed", "long": "long", "curly": "curly"}
_POSE_WORDS = {"left": "left", "front": "forward", "right": "right"}
_GARMENT_PHRASES = {
    "sweater": "a {color} sweater",
    "apron": "a {color} shirt and an apron",
    "lab coat": "a {color} shirt and a lab coat",
    "suit": "a {color} suit",
    "overalls": "a {color} shirt and overalls",
    "striped shirt": "a {color} striped shirt",
}
_GARMENT_ALONE = {
    "sweater": "a sweater",
    "apron": "an apron",
    "lab coat": "a lab coat",
    "suit": "a suit",
    "overalls": "overalls",
    "striped shirt": "a striped shirt",
}


def caption(portraits: Portraits, generator: np.random.Generator, detail: Detail = "full") -> list[str]:
    """One caption a portrait. `full` states every attribute, `partial` about half, `open` little beside the subject.

    Raises ValueError for an unknown detail.
    """
    if detail not in MENTION:
        raise ValueError(f"unknown detail {detail!r}; one of {', '.join(MENTION)}")
    return [_one(portraits, row, generator, detail) for row in range(len(portraits))]


def _one(portraits: Portraits, row: int, g: np.random.Generator, detail: Detail) -> str:
    classes = portraits.classes(row)
    unusual, usual = MENTION[detail]
    draws = g.random(len(ATTRIBUTES) + 4)
    said = {
        a.name: classes[a.name]
        for a, u in zip(ATTRIBUTES, draws, strict=False)
        if u < (usual if classes[a.name] == USUAL[a.name] else unusual)
    }
    subject, implied = _subject(portraits, row, draws[-4:])
    for name, label in implied.items():
        if label != classes[name]:
            said[name] = classes[name]  # a look that its character or occupation does not imply must be said
        elif name != "garment" or draws[-1] < 0.6:
            said.pop(name, None)
    if not implied.keys() >= {"garment"} and detail == "full":
        said["garment"] = classes["garment"]
    return phrase(said, subject, g if detail != "full" or draws[-2] < 0.5 else None)


def _subject(portraits: Portraits, row: int, draws: NDArray[np.float64]) -> tuple[str, Mapping[str, str]]:
    """What the caption calls the person, and the looks that this implies."""
    character, occupation = int(portraits.character[row]), int(portraits.occupation[row])
    if character >= 0 and draws[0] < 0.9:
        name = CHARACTER_NAMES[character]
        return name, CHARACTERS[name]
    if occupation >= 0 and draws[0] < 0.85:
        name = OCCUPATION_NAMES[occupation]
        article = "an" if name[0] in "aeiou" else "a"
        return f"{article} {name}", {"garment": OCCUPATIONS[name]}
    return ("someone" if draws[1] < 0.5 else "a person"), {}


def phrase(stated: Mapping[str, str], subject: str = "a person", generator: np.random.Generator | None = None) -> str:
    """A caption that states exactly `stated` about `subject`; with a generator the order of its fragments varies."""
    for name, label in stated.items():
        BY_NAME[name].index(label)
    style = stated.get("style")
    article = "an" if style == "ink" else "a"
    head = f"{article} {style} portrait of {subject}" if style else f"a portrait of {subject}"
    fragments = _fragments(stated)
    if generator is not None:
        fragments = [fragments[i] for i in generator.permutation(len(fragments))]
    return ", ".join([f"{head} {fragments[0]}", *fragments[1:]]) if fragments else head


def _fragments(stated: Mapping[str, str]) -> list[str]:
    parts = []
    if "skin" in stated:
        parts.append(f"with {stated['skin']} skin")
    if "hair_color" in stated or "hair_style" in stated:
        style = stated.get("hair_style", "")
        noun = "pigtails" if style == "pigtails" else "hair"
        parts.append(" ".join(w for w in ("with", _HAIR_WORDS.get(style, ""), stated.get("hair_color", ""), noun) if w))
    if "glasses" in stated:
        parts.append("with no glasses" if stated["glasses"] == "none" else f"with {stated['glasses']}")
    if "hat" in stated:
        parts.append("with no hat" if stated["hat"] == "none" else f"wearing a {stated['hat']}")
    if "garment" in stated and "clothes" in stated:
        parts.append("in " + _GARMENT_PHRASES[stated["garment"]].format(color=stated["clothes"]))
    elif "garment" in stated:
        parts.append(f"in {_GARMENT_ALONE[stated['garment']]}")
    elif "clothes" in stated:
        parts.append(f"dressed in {stated['clothes']}")
    if "expression" in stated:
        parts.append(stated["expression"])
    if "pose" in stated:
        parts.append(f"facing {_POSE_WORDS[stated['pose']]}")
    if "background" in stated:
        parts.append(f"on a {stated['background']} background")
    return parts


def _either(words: Mapping[str, str] | tuple[str, ...]) -> str:
    return "(" + "|".join(words) + ")"


_PATTERNS: dict[str, str] = {
    "style": rf"\b{_either(BY_NAME['style'].classes)}\b",
    "skin": rf"\b{_either(BY_NAME['skin'].classes)} skin\b",
    "hair_color": rf"\b{_either(BY_NAME['hair_color'].classes)} (?:hair|pigtails)\b",
    "glasses": r"\b((?:no )?glasses|sunglasses)\b",
    "hat": r"\b(no hat|beanie|straw hat|crown)\b",
    "expression": rf"\b{_either(BY_NAME['expression'].classes)}\b",
    "clothes": rf"\b{_either(BY_NAME['clothes'].classes)}\b",
    "background": rf"\b{_either(BY_NAME['background'].classes)} background\b",
    "pose": r"\bfacing (left|forward|right)\b",
    "garment": rf"\b{_either(BY_NAME['garment'].classes)}\b",
}
_HAIR_STYLE = re.compile(
    rf"\b(?:{_either(tuple(_HAIR_WORDS.values()))} (?:{_either(BY_NAME['hair_color'].classes)} )?hair|(pigtails))\b"
)
_SYNONYMS = {"no glasses": "none", "no hat": "none", "forward": "front", "bobbed": "bob"}


def given(prompt: str) -> dict[str, str]:
    """What a prompt says in the form that `attributes.sample` takes: attributes, "occupation", "character"."""
    text = prompt.lower()
    found: dict[str, str] = {}
    for name in CHARACTER_NAMES:
        if re.search(rf"\b{name.lower()}\b", text):
            found["character"] = name
    for name in OCCUPATION_NAMES:
        if re.search(rf"\b{name}\b", text):
            found["occupation"] = name
    for attribute, pattern in _PATTERNS.items():
        match = re.search(pattern, text)
        if match:
            found[attribute] = _SYNONYMS.get(match.group(1), match.group(1))
    match = _HAIR_STYLE.search(text)
    if match:
        found["hair_style"] = _SYNONYMS.get(match.group(1), match.group(1)) if match.group(1) else "pigtails"
    return found


def expected(prompt: str) -> dict[str, str]:
    """Attribute name -> class of everything that a prompt states, fixed looks and an occupation's garment included."""
    found = given(prompt)
    looks: dict[str, str] = {}
    if "occupation" in found:
        looks["garment"] = OCCUPATIONS[found.pop("occupation")]
    if "character" in found:
        looks |= CHARACTERS[found.pop("character")]
    looks |= found
    return {a.name: looks[a.name] for a in ATTRIBUTES if a.name in looks}


def target(prompt: str) -> dict[str, NDArray[np.float64]]:
    """Open attributes of a prompt -> the declared distribution over their classes, (K,) float64 summing to 1."""
    stated = expected(prompt)
    return {a.name: np.asarray(a.probabilities, dtype=np.float64) for a in ATTRIBUTES if a.name not in stated}


def words() -> tuple[str, ...]:
    """Every word that the grammar can produce, sorted; the tokenizer of avatars-sd holds each as one token."""
    texts = ["a portrait of a person", "a portrait of someone", "dressed in", "facing", "with no hat", "an"]
    for attribute in ATTRIBUTES:
        for label in attribute.classes:
            texts.append(phrase({attribute.name: label}))
            texts.append(phrase({attribute.name: label, "clothes": "red"} if attribute.name == "garment" else {}))
    texts += [*(name.lower() for name in CHARACTER_NAMES), *OCCUPATION_NAMES]
    return tuple(sorted({word for text in texts for word in re.findall(r"[a-z]+|,", text)}))
