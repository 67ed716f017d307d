"""Unequal budgets are said: evaluations, what has none, seconds; and judges that both tune and report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.metrics import METRICS
from harness.options import build
from harness.scoring.budgets import unequal_budgets
from harness.scoring.shared_space import shared_judges


def cell(
    label: str, evaluations: float | None, seconds: float, name: str = "afterlearner", seed: int = 0
) -> dict[str, Any]:
    return {
        "method": label, "name": name, "status": "ok", "evaluations": evaluations, "seconds": seconds, "seed": seed,
    }  # fmt: skip


def test_equal_budgets_say_nothing() -> None:
    assert unequal_budgets([cell("a", 100, 10.0), cell("b", 100, 11.0), cell("untouched", 1, 1.0, "untouched")]) == []
    assert unequal_budgets([cell("iid", None, 1.0, "spell"), cell("cads", None, 9.0, "cads")]) == []


def test_rows_are_named_by_budget() -> None:
    said = unequal_budgets([cell("b", 300, 9.0), cell("a", 100, 9.0), cell("c", 100, 9.0)])
    assert said == ["Evaluations differ between rows: 100 (a, c); 300 (b). A row with more has bought more."]


def test_what_spends_none_and_what_takes_longer_is_said() -> None:
    said = unequal_budgets([cell("a", 100, 9.0), cell("b", 100, 12.0), cell("tuned", None, 3.0, "fine_tuning")])
    assert said[0].startswith("No evaluations were spent by tuned")
    assert said[1] == "At 100 evaluations the seconds of a cell go from 9 (a) to 12 (b)."


def test_cells_that_failed_do_not_count() -> None:
    broken = {**cell("b", 300, 9.0), "status": "failed"}
    assert unequal_budgets([cell("a", 100, 10.0), broken]) == []


@dataclass
class Tuned:
    judge: str = "avatars-quality-a"


def test_a_judge_that_tunes_and_reports_is_said() -> None:
    metrics = [build((r := METRICS.resolve(f"quality.avatars-quality-{x}")).thing, {}, **r.bound) for x in "ab"]
    assert shared_judges(Tuned(), metrics) == [  # type: ignore[arg-type]
        "quality.avatars-quality-a reports by avatars-quality-a, which the searches were tuned on: a gain there is no"
        " evidence."
    ]
    assert shared_judges(Tuned("sharpness"), metrics) == []  # type: ignore[arg-type]
    assert shared_judges(object(), metrics) == []  # type: ignore[arg-type]


def test_unit_tests_are_what_is_asked_for_and_no_model_of_it() -> None:
    found = METRICS.resolve("code.ca.python-tests")
    assert shared_judges(Tuned("python-tests"), [build(found.thing, {}, **found.bound)]) == []  # type: ignore[arg-type]
