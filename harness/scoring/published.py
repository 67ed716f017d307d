"""What papers claim about the methods of a suite, and whether this run reproduces it.

A claim is set beside a measurement only where it names the metric that states the same quantity, the suite has the
paper's data, model and recipe, and the row is that very preset. Then it is reproduced where it lies in the 95 %
interval of the aggregate over seeds, and not reproduced where it does not. Everything else is not comparable, with the
reason (rules.md 27, 28).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.methods.baseline import Baseline, Published, baseline_names, load_baseline
from harness.scoring.columns import AGGREGATE

if TYPE_CHECKING:
    import pandas as pd

    from harness.suite import Plan

REPRODUCED, NOT_REPRODUCED, NOT_COMPARABLE = "reproduced", "not reproduced", "not comparable"


def published_rows(plan: Plan, scores: pd.DataFrame) -> list[dict[str, Any]]:
    """One record a claim about a method that the suite uses; `verdict` and `why` say how it stands to this run."""
    used = {p.cell.method.name for p in plan.cells}
    rows = []
    for name in baseline_names():
        baseline = load_baseline(name)
        if baseline.method not in used:
            continue
        labels = _labels(plan, baseline)
        for claim in baseline.published:
            verdict, why = judged(claim, plan.suite.suite, labels, scores)
            rows.append(
                {
                    "baseline": name,
                    "metric": claim.metric,
                    "setting": claim.setting,
                    "value": claim.value,
                    "before": claim.before,
                    "mark": str(claim.mark),
                    "source": claim.source,
                    "verdict": verdict,
                    "why": why,
                }
            )
    return rows


def _labels(plan: Plan, baseline: Baseline) -> tuple[str, ...]:
    """Rows whose parameters are those of the preset."""
    return tuple(
        dict.fromkeys(
            p.label
            for p in plan.cells
            if p.cell.method.name == baseline.method
            and all(p.cell.method.params.get(k) == v for k, v in baseline.params.items())
        )
    )


def judged(claim: Published, suite: str, labels: tuple[str, ...], scores: pd.DataFrame) -> tuple[str, str]:
    """(verdict, reason) of one claim against the frame of scores of a run."""
    if not claim.compares:
        return NOT_COMPARABLE, "no metric here states this quantity"
    if claim.mark == "memory":
        return NOT_COMPARABLE, "recalled, not read: no target"
    if suite not in claim.suites:
        return NOT_COMPARABLE, "other data, another model or another recipe"
    if not labels:
        return NOT_COMPARABLE, "the suite has no row with this preset's parameters"
    whole = scores[(scores["seed"].astype(str) == AGGREGATE) & (scores["metric"] == claim.compares)]
    for label in labels:
        found = whole[whole["method"] == label]
        if len(found) != 1 or found["status"].item() != "ok" or found["ci_low"].isna().item():
            continue
        value, low, high = (claim.scale * float(found[c].item()) for c in ("value", "ci_low", "ci_high"))
        text = f"{label}: {value:.4g} [{low:.4g}, {high:.4g}]"
        return (REPRODUCED if low <= claim.value <= high else NOT_REPRODUCED), text
    return NOT_COMPARABLE, f"{claim.compares} has no interval in this run"
