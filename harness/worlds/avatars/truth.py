"""What the world knows of prompts: classes they state, shares they leave open, and how its classifier errs."""

from __future__ import annotations

from harness.worlds.avatars.attributes import ATTRIBUTES
from harness.worlds.avatars.captions import expected, target

__all__ = ["classes", "expected", "target"]


def classes() -> dict[str, tuple[str, ...]]:
    """Attribute name → its classes."""
    return {a.name: a.classes for a in ATTRIBUTES}
