"""Digits that follow the standard error (statistics.md section 14).

Value and interval are rounded to one digit beyond the first significant digit of the SE, both bounds alike. The SE is
read off the interval as its width over 2 · 1.96; a t interval with few degrees of freedom is wider than that and so
may show one digit fewer. Without an interval a number shows four significant digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

Z_95 = 1.959964  # two-sided 95 % point of the normal distribution
BARE_DIGITS = 4  # significant digits of a number without an interval
MOST_DIGITS = 7  # significant digits ever shown
CONSTANT = 1e-12  # an interval narrower than this share of the number is floating-point dust
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Digits:
    """How a number and its bounds are printed: decimals after the point (negative: tens, hundreds), or scientific.

    exponent  None, or the shared power of ten that is written out
    """

    decimals: int
    exponent: int | None = None

    def text(self, value: float, *, signed: bool = False, minus: str = MINUS) -> str:
        """The number as printed; never "-0.00"."""
        scaled = Decimal(repr(float(value))).scaleb(-(self.exponent or 0))
        rounded = scaled.quantize(Decimal(1).scaleb(-self.decimals), rounding=ROUND_HALF_EVEN)
        body = f"{abs(rounded):f}"
        if self.exponent is not None:
            body += f"e{self.exponent}".replace("-", minus)
        if rounded == 0:
            return body
        return (minus if rounded < 0 else "+" if signed else "") + body


def adjusted(value: float) -> int:
    """The exponent of the first significant digit: 0 for 3.2, -2 for .04. 0 for 0."""
    return Decimal(repr(float(value))).adjusted() if value else 0


def digits(value: float, low: float | None = None, high: float | None = None) -> Digits:
    """The digits that a value with its 95 % interval [low, high] deserves.

    Raises ValueError for a value that is not finite: such a score has a status, not digits.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} has no digits; a score without a value has a status and a reason")
    known = [abs(v) for v in (value, low, high) if v is not None and math.isfinite(v)]
    top = adjusted(max(known))
    width = high - low if low is not None and high is not None else 0.0
    if math.isfinite(width) and width > CONSTANT * max(known):
        decimals = 1 - adjusted(width / (2 * Z_95))
    else:
        decimals = max(0, BARE_DIGITS - 1 - top)
        if decimals > 0:  # .5000 says no more than .5
            trimmed = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-decimals)).normalize()
            decimals = max(0, min(decimals, -int(trimmed.as_tuple().exponent)))
    decimals = min(decimals, MOST_DIGITS - 1 - top)
    if decimals > MOST_DIGITS and top < -3:
        return Digits(decimals + top, top)
    return Digits(decimals)


def p_text(p: float) -> str:
    """A p-value: three decimals, two significant digits where that is less, "< 0.001" below."""
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def seconds_text(seconds: float) -> str:
    """A duration for people: 0.42 s, 12.3 s, 2 min 10 s, 1 h 05 min."""
    if seconds < 1:
        return f"{seconds:.2f} s" if seconds >= 0.005 else f"{seconds * 1e3:.2g} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count_text(count: float) -> str:
    """A count with thin spaces between thousands; at most one decimal."""
    text = f"{count:,.1f}" if abs(count - round(count)) > 0.05 else f"{round(count):,d}"
    return text.replace(",", "\N{NARROW NO-BREAK SPACE}")
