"""The programs world: short JavaScript functions, their Python translations and unit tests, drawn from families.

Every program is written in both languages at once (`paired`), by a family (`families`, and `compositions`, which no
training program is drawn from). Splits share no program; unit tests for tuning and for the report share no input.
"""

from __future__ import annotations

from harness.worlds.programs.problems import HELD_OUT, SEEN, SIZES, Case, Problem, left_out, problems

__all__ = ["HELD_OUT", "SEEN", "SIZES", "Case", "Problem", "left_out", "problems"]
