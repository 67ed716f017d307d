"""What is known of digit prompts: the class that they state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.worlds.digits.prompts import WORDS, expected

__all__ = ["classes", "expected", "target"]


def classes() -> dict[str, tuple[str, ...]]:
    """The one attribute: which digit."""
    return {"digit": WORDS}


def target(prompt: str) -> dict[str, NDArray[np.float64]]:
    """Uniform over the ten digits where the prompt leaves the digit open."""
    return {} if expected(prompt) else {"digit": np.full(10, 0.1)}
