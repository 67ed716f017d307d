"""What the world knows of prompts: classes they state, shares they leave open, and how its classifier errs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.worlds.avatars.attributes import ATTRIBUTES
from harness.worlds.avatars.captions import expected, target

__all__ = ["classes", "confusion", "expected", "target"]


def classes() -> dict[str, tuple[str, ...]]:
    """Attribute name → its classes."""
    return {a.name: a.classes for a in ATTRIBUTES}


def confusion() -> dict[str, NDArray[np.float64]]:
    """Attribute → (K, K) P(predicted j | true i) of avatars-attributes on held-out renders, and its counts "<name>.n"."""
    from harness.models.zoo import ZOO

    counts = ZOO["avatars-attributes"].card()["held_out"]["confusion"]
    table: dict[str, NDArray[np.float64]] = {}
    for attribute in ATTRIBUTES:
        matrix = np.asarray(counts[attribute.name], dtype=np.float64)
        table[attribute.name + ".n"] = matrix.sum(axis=1)
        table[attribute.name] = matrix / matrix.sum(axis=1, keepdims=True)
    return table
