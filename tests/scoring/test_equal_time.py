"""The equal-time row is told when it was not one (generation.md section 6.1, rules.md 4)."""

from __future__ import annotations

from typing import Any

import pytest

from harness.scoring.equal_time import equal_time_warnings, fitting, ratios


def _cells(label: str, seconds: list[float | None], name: str = "spell", **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "method": label,
            "name": name,
            "role": "method",
            "seed": str(seed),
            "status": "ok" if s is not None else "failed",
            "seconds": s,
            "denoiser_calls": 100,
            "params": {"factor": 2.5},
            **more,
        }
        for seed, s in enumerate(seconds)
    ]


def _equal(seconds: list[float | None], **more: Any) -> list[dict[str, Any]]:
    return _cells("more samples", seconds, "iid_equal_time", role="baseline", denoiser_calls=250, **more)


@pytest.mark.parametrize(("ours", "warned"), [(10.0, False), (10.19, False), (10.21, True), (25.0, True)])
def test_two_per_cent_more_are_allowed_and_no_more(ours: float, warned: bool) -> None:
    found = equal_time_warnings(_cells("spell", [10.0, 10.0]) + _equal([ours, ours]))
    assert bool(found) == warned


def test_the_sentence_names_the_methods_the_ratio_the_calls_and_the_factor_that_fits() -> None:
    cells = _cells("spell", [10.0]) + _cells("slow", [30.0]) + _equal([20.0])
    (sentence,) = equal_time_warnings(cells)
    assert sentence == (
        "more samples took more seconds than spell (2.00 times, 2.50 times the denoiser calls): against these it is not"
        " at equal time. A factor of 1.2 would fit."
    )


def test_many_methods_are_told_as_ranges_and_the_exceptions_by_name() -> None:
    cells = [c for i in range(5) for c in _cells(f"m{i}", [10.0 + i])] + _cells("slow", [40.0]) + _equal([28.0])
    (sentence,) = equal_time_warnings(cells)
    assert sentence == (
        "more samples took more seconds than 5 methods (all but slow), 2.00 to 2.80 times, with 2.50 times the denoiser"
        " calls: against these it is not at equal time. No factor above 1 would fit."
    )
    assert "all 5 methods, 2.00 to 2.80 times" in equal_time_warnings([c for c in cells if c["method"] != "slow"])[0]


def test_a_control_claims_no_equal_time() -> None:
    control = _cells("paid but random", [90.0], "iid_equal_time", role="control")
    assert equal_time_warnings(_cells("spell", [10.0]) + control) == []


def test_only_seeds_that_both_finished_are_compared() -> None:
    cells = _cells("spell", [10.0, None, 10.0]) + _equal([10.0, 90.0, 10.0])
    assert ratios([c for c in cells if c["seconds"]], "more samples", "spell") == (1.0, 2.5)
    assert equal_time_warnings(cells) == []
    assert equal_time_warnings(_cells("spell", [None, 10.0]) + _equal([90.0, None])) == []


def test_a_row_that_was_far_too_cheap_is_called_lenient() -> None:
    (sentence,) = equal_time_warnings(_cells("slow", [30.0]) + _equal([10.0]))
    assert "took less than half of the seconds of slow (0.33 times): a lenient opponent" in sentence


def test_baselines_controls_and_other_equal_time_rows_are_no_opponents() -> None:
    cells = _equal([20.0]) + _cells("iid", [5.0], "iid", role="baseline") + _cells("noise", [5.0], role="control")
    cells += _cells("other", [5.0], "iid_equal_time")
    assert equal_time_warnings(cells) == []


def test_the_factor_that_fits_is_rounded_down() -> None:
    assert fitting(2.5, 2.5 / 1.69) == "A factor of 1.6 would fit."
    assert fitting(2.0, 2.5) == "No factor above 1 would fit."
