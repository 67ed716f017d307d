"""Digits follow the standard error (statistics.md section 14)."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.report.rounding import (
    CONSTANT,
    MINUS,
    MOST_DIGITS,
    Z_95,
    adjusted,
    count_text,
    digits,
    p_text,
    seconds_text,
)

values = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda v: v == 0 or abs(v) > 1e-9)
halves = st.floats(1e-7, 1e5)


def parsed(text: str) -> float:
    return float(text.replace(MINUS, "-"))


@pytest.mark.parametrize(
    ("value", "low", "high", "texts"),
    [
        (6.9412, 6.5301, 7.3672, ("6.94", "6.53", "7.37")),  # SE .21: two digits
        (0.91204, 0.89504, 0.92989, ("0.9120", "0.8950", "0.9299")),  # SE .0089
        (-0.0908, -0.1014, -0.0796, (f"{MINUS}0.0908", f"{MINUS}0.1014", f"{MINUS}0.0796")),
        (123456.0, 118456.0, 128456.0, ("123500", "118500", "128500")),  # SE 2551: hundreds
        (12.0, 11.99, 12.01, ("12.0000", "11.9900", "12.0100")),  # SE .0051
    ],
)
def test_value_and_bounds_show_one_digit_beyond_the_first_of_the_standard_error(value, low, high, texts):
    d = digits(value, low, high)
    assert (d.text(value), d.text(low), d.text(high)) == texts


@given(values, halves, halves)
def test_rounding_moves_a_number_by_less_than_a_twentieth_of_its_standard_error(value, below, above):
    low, high = value - below, value + above
    assume(high - low > CONSTANT * max(abs(low), abs(high)))
    d = digits(value, low, high)
    capped = adjusted(max(abs(value), abs(low), abs(high))) - MOST_DIGITS + 1  # the last digit ever shown
    allowed = max((high - low) / (2 * Z_95) / 20, 0.5 * 10.0**capped)
    assert abs(parsed(d.text(value)) - value) <= allowed * (1 + 1e-9)


@given(values, halves, halves)
def test_rounded_bounds_still_hold_the_rounded_value(value, below, above):
    d = digits(value, value - below, value + above)
    assert parsed(d.text(value - below)) <= parsed(d.text(value)) <= parsed(d.text(value + above))


@given(values, halves)
def test_value_and_both_bounds_have_the_same_decimals(value, half):
    d = digits(value, value - half, value + half)
    after = {len(d.text(v).partition("e")[0].partition(".")[2]) for v in (value, value - half, value + half)}
    assert len(after) == 1


@given(values, halves)
def test_no_number_is_printed_as_minus_zero(value, half):
    d = digits(value, value - half, value + half)
    for v in (value, -value, 0.0, -0.0):
        text = d.text(v)
        assert not (text.startswith((MINUS, "+")) and parsed(text) == 0)


@given(values, halves)
def test_signed_text_of_opposite_numbers_differs_in_its_sign_only(value, half):
    d = digits(value, value - half, value + half)
    assert d.text(value, signed=True).lstrip("+" + MINUS) == d.text(-value, signed=True).lstrip("+" + MINUS)


@given(values)
def test_without_an_interval_four_significant_digits_are_shown(value):
    assert math.isclose(parsed(digits(value).text(value)), value, rel_tol=5.1e-4, abs_tol=1e-12)


def test_a_constant_shows_no_false_precision():
    assert digits(0.3, 0.3 - 1e-17, 0.3 + 1e-16).text(0.3) == "0.3"
    assert len(digits(1 / 3, 1 / 3 - 1e-13, 1 / 3 + 1e-13).text(1 / 3)) <= MOST_DIGITS + 2


def test_tiny_numbers_share_a_written_exponent():
    d = digits(2.134e-9, 1.9e-9, 2.4e-9)
    assert (d.text(2.134e-9), d.text(1.9e-9)) == (f"2.13e{MINUS}9", f"1.90e{MINUS}9")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="no digits"):
        digits(value)


def test_p_values_durations_and_counts_for_people():
    assert [p_text(p) for p in (0.0002, 0.0321, 0.5)] == ["< 0.001", "0.032", "0.50"]
    assert [seconds_text(s) for s in (0.421, 12.34, 130, 3900)] == ["0.42 s", "12.3 s", "2 min 10 s", "1 h 05 min"]
    assert count_text(12400) == "12\N{NARROW NO-BREAK SPACE}400"
