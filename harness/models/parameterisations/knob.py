"""A decoding knob: a number that an opened model reads whenever it runs, with the value that leaves it untouched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Knob:
    """default  the untouched model's value;  low, high  bounds, included
    scale    change of the value for one standardised unit of a search
    integer  values are rounded, halves to even
    """

    default: float
    low: float
    high: float
    scale: float
    integer: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.default <= self.high or not self.scale > 0:
            raise ValueError(f"a knob needs low <= default <= high and scale > 0: {self}")

    def at(self, x: float) -> float:
        """The value at the standardised coordinate `x`; the default, exactly, at 0."""
        if x == 0:
            return self.default
        value = min(self.high, max(self.low, self.default + self.scale * x))
        return float(round(value)) if self.integer else value

    def coordinate(self, value: float) -> float:
        """The coordinate of a value: `at(coordinate(v))` is v up to rounding, the default lies at 0 exactly."""
        return 0.0 if value == self.default else (value - self.default) / self.scale
