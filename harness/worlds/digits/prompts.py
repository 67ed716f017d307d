"""Prompts of the digits world: "a handwritten seven"."""

from __future__ import annotations

import re

WORDS: tuple[str, ...] = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def caption(digit: int) -> str:
    """The caption of a digit in 0..9."""
    return f"a handwritten {WORDS[digit]}"


PROMPT_SETS: dict[str, tuple[str, ...]] = {
    "digits": tuple(caption(d) for d in range(10)),
    "open": ("a handwritten digit",),
}


def expected(prompt: str) -> dict[str, str]:
    """{"digit": word} for a prompt that names a digit, {} for an open one."""
    match = re.search(rf"\b({'|'.join(WORDS)})\b", prompt.lower())
    return {"digit": match.group(1)} if match else {}
