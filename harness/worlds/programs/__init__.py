"""The programs world: short JavaScript functions, their Python translations and unit tests, drawn from families.

Every program is written in both languages at once (`paired`), by a family (`families`, and `compositions`, which no
training program is drawn from). Splits share no program; unit tests for tuning and for the report share no input.
A planted flaw: somewhat more than half of the training targets are in a legacy dialect (`dialects`), the others and all
references in today's, and the JavaScript does not tell which. It stands for a model of an old, mixed corpus.
"""

from __future__ import annotations

from harness.worlds.programs.dialects import is_legacy, legacy
from harness.worlds.programs.problems import HELD_OUT, LEGACY_SHARE, SEEN, SIZES, Case, Problem, left_out, problems

__all__ = [
    "HELD_OUT",
    "LEGACY_SHARE",
    "SEEN",
    "SIZES",
    "Case",
    "Problem",
    "is_legacy",
    "left_out",
    "legacy",
    "problems",
]
