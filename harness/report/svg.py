"""Axes and text for the page's drawings. Colors are CSS variables, so dark mode and print need no second drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from harness.report.rounding import MINUS

SERIES = 8  # colors --s0 … --s7 of the style sheet


@dataclass(frozen=True)
class Axis:
    """A linear scale from data [low, high] to drawing [start, stop]."""

    low: float
    high: float
    start: float = 0.0
    stop: float = 100.0

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.stop - self.start), 2)

    def ticks(self, about: int = 4) -> list[tuple[float, str]]:
        """Round numbers inside the scale, with their text."""
        raw = (self.high - self.low) / max(about, 1)
        base = 10.0 ** math.floor(math.log10(raw))
        steps = [m * base for m in (10.0, 5.0, 2.0, 1.0, 0.5, 0.2)]
        step = min((s for s in steps if len(self.multiples(s)) <= about + 1), default=steps[0])
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return [(i * step, tick_text(i * step, decimals)) for i in self.multiples(step)]

    def multiples(self, step: float) -> range:
        """The i for which i · step lies on the scale."""
        return range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)


def tick_text(value: float, decimals: int) -> str:
    if decimals > 4 or abs(value) >= 1e6:
        return f"{value:.2g}".replace("-", MINUS)
    text = f"{abs(value):.{decimals}f}"
    return (MINUS if value < 0 and float(text) else "") + text


def axis_over(values: Iterable[float | None], start: float, stop: float, *, include: Iterable[float] = ()) -> Axis:
    """A scale that holds all known values with a margin of 6 % on both sides."""
    known = [v for v in (*values, *include) if v is not None and math.isfinite(v)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if high - low <= 1e-12 * max(abs(low), abs(high)) or high == low:
        pad = abs(high) * 0.05 or 0.5
    else:
        pad = (high - low) * 0.06
    return Axis(low - pad, high + pad, start, stop)


def tag(name: str, content: str | Markup = "", **attributes: object) -> Markup:
    """An element; `class_` for class, underscores become hyphens; content is escaped unless it is Markup."""
    inside = "".join(
        f' {k.rstrip("_").replace("_", "-")}="{escape(v)}"' for k, v in attributes.items() if v is not None
    )
    return Markup(f"<{name}{inside}>{escape(content)}</{name}>")


def label(x: float, y: float, content: str, **attributes: object) -> Markup:
    return tag("text", content, x=x, y=y, **attributes)


def join(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)


def path(points: Iterable[tuple[float, float]], *, closed: bool = False) -> str:
    text = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
    return text + ("Z" if closed else "")


def short(text: str, length: int = 26) -> str:
    """The text cut to a length; the whole belongs in a title beside it."""
    return text if len(text) <= length else text[: length - 1] + "…"
