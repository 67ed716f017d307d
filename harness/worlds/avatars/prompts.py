"""Prompt sets of the avatars world, and renders that answer prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.keys import generator
from harness.worlds.avatars.attributes import (
    CHARACTER_NAMES,
    OCCUPATION_NAMES,
    Distribution,
    IntArray,
    concatenate,
    sample,
)
from harness.worlds.avatars.captions import given, phrase
from harness.worlds.avatars.draw import render

COMPLETE_SEED = 2026


def _complete(n: int) -> tuple[str, ...]:
    """`n` prompts that state every attribute of portraits of no occupation, drawn from the declared distribution."""
    portraits = sample(n, COMPLETE_SEED, "complete prompts")
    subjects = generator(COMPLETE_SEED, "world", "complete subjects").integers(2, size=n)
    return tuple(phrase(portraits.classes(i), ("a person", "someone")[int(subjects[i])]) for i in range(n))


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


PROMPT_SETS: dict[str, tuple[str, ...]] = {
    "open": (
        "a portrait of a person",
        "a portrait of someone",
        "a portrait of a person with glasses",
        "a portrait of a person with sunglasses",
        "a portrait of someone smiling",
        "a portrait of someone surprised",
        "a watercolor portrait of someone smiling",
        "an ink portrait of a person",
        "a flat portrait of a person",
        "a watercolor portrait of a person with glasses",
        "a portrait of a person wearing a crown",
        "a portrait of someone wearing a straw hat",
        "a portrait of a person with long hair",
        "a portrait of a person with curly hair, smiling",
        "a portrait of a person in a suit",
        "an ink portrait of someone facing left",
        "a portrait of a person on a lilac background",
        "a portrait of a baker",
        "a portrait of a sailor",
        "a watercolor portrait of a scientist",
    ),
    "occupations": tuple(f"a portrait of {_article(name)}" for name in OCCUPATION_NAMES),
    "complete": _complete(48),
    "characters": tuple(f"a portrait of {name}" for name in CHARACTER_NAMES),
    "characters-styled": tuple(
        f"{kind} portrait of {name}" for name in CHARACTER_NAMES for kind in ("a", "a watercolor", "an ink", "a flat")
    ),
    "erase": (
        "a portrait of a person wearing a beanie",
        "a portrait of a person wearing a straw hat",
        "a portrait of a person wearing a crown",
        "a portrait of a person with glasses",
        "a portrait of a person with sunglasses",
        "a portrait of a person with black hair",
        "a portrait of a person with brown hair",
        "a portrait of a person with blond hair",
        "a portrait of a person with ginger hair",
        "a portrait of a person with blue hair",
        "a portrait of a baker wearing a crown",
        "a portrait of a doctor with sunglasses",
        "an ink portrait of someone with ginger pigtails",
        "a watercolor portrait of someone wearing a straw hat, smiling",
    ),
}


def reference(
    prompts: Sequence[str], n_per_prompt: int, seed: int, distribution: Distribution = "declared"
) -> tuple[NDArray[np.uint8], IntArray]:
    """Renders that answer prompts: images (P * n_per_prompt, 64, 64, 3) uint8 and their prompt index (int64).

    What a prompt leaves open follows `distribution`. The same prompt at the same place gets the same renders.
    Raises ValueError for no prompts or n_per_prompt < 1.
    """
    if not prompts or n_per_prompt < 1:
        raise ValueError(f"reference needs prompts and n_per_prompt >= 1, got {len(prompts)} and {n_per_prompt}")
    portraits = concatenate(
        [
            sample(n_per_prompt, seed, "reference", i, given=given(prompt), distribution=distribution)
            for i, prompt in enumerate(prompts)
        ]
    )
    return render(portraits), np.repeat(np.arange(len(prompts), dtype=np.int64), n_per_prompt)
