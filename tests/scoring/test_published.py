"""Claims of papers beside a run: reproduced, not reproduced, or not comparable with the reason."""

from __future__ import annotations

import pandas as pd
import pytest

from harness.methods.baseline import Published
from harness.scoring.published import NOT_COMPARABLE, NOT_REPRODUCED, REPRODUCED, judged

SCORES = pd.DataFrame(
    [
        ("salun", "unlearn.UA", "all", "ok", 0.03, 0.02, 0.04),
        ("salun", "unlearn.UA", "0", "ok", 0.9, 0.8, 1.0),
        ("other", "unlearn.UA", "all", "ok", 0.5, 0.4, 0.6),
        ("salun", "zrf", "all", "ok", 0.5, None, None),
    ],
    columns=["method", "metric", "seed", "status", "value", "ci_low", "ci_high"],
)


def claim(value: float, **more: object) -> Published:
    stated = {"metric": "UA", "setting": "per cent", "value": value, "mark": "paper", "source": "a table"}
    return Published.model_validate({**stated, "compares": "unlearn.UA", "scale": 100.0, "suites": ("cifar",), **more})


@pytest.mark.parametrize(("value", "verdict"), [(2.85, REPRODUCED), (2.0, REPRODUCED), (4.2, NOT_REPRODUCED)])
def test_a_claim_is_judged_by_the_interval_of_all_seeds_in_its_own_unit(value: float, verdict: str) -> None:
    found, why = judged(claim(value), "cifar", ("salun",), SCORES)
    assert found == verdict
    assert why == "salun: 3 [2, 4]"


@pytest.mark.parametrize(
    ("more", "suite", "labels", "why"),
    [
        ({"compares": ""}, "cifar", ("salun",), "no metric here"),
        ({"mark": "memory"}, "cifar", ("salun",), "recalled"),
        ({}, "digits", ("salun",), "other data"),
        ({}, "cifar", (), "no row with this preset"),
        ({"compares": "zrf"}, "cifar", ("salun",), "zrf has no interval"),
        ({"compares": "unlearn.RA"}, "cifar", ("salun",), "unlearn.RA has no interval"),
    ],
)
def test_what_cannot_be_compared_says_why(
    more: dict[str, object], suite: str, labels: tuple[str, ...], why: str
) -> None:
    verdict, reason = judged(claim(3.0, **more), suite, labels, SCORES)
    assert verdict == NOT_COMPARABLE
    assert why in reason
