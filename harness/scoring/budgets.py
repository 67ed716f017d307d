"""Whether compared searches were given the same: evaluations, else what they took instead, and seconds (rules.md 4).

The untouched model asks once and is nobody's opponent in budget. Rows of one budget are named together; what learns
from gradients, or is only set, has no evaluations and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.engine.flags import DO_NOTHING

SLACK = 1.25  # of the cheapest row's seconds: below, rows of one number of evaluations count as equally dear


def unequal_budgets(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences about rows whose evaluations or seconds differ; none where no row searched.

    cells  records with method (label), name, status, evaluations, seconds
    """
    finished = [c for c in cells if c["status"] == "ok" and c["name"] not in DO_NOTHING]
    rows = {str(c["method"]): [d for d in finished if d["method"] == c["method"]] for c in finished}
    asked = {label: mean([c["evaluations"] for c in mine]) for label, mine in rows.items()}
    if not any(asked.values()):
        return []
    found = []
    groups: dict[float, list[str]] = {}
    for label, number in asked.items():
        if number:
            groups.setdefault(number, []).append(label)
    if len(groups) > 1:
        parts = [f"{n:g} ({', '.join(groups[n])})" for n in sorted(groups)]
        found.append(f"Evaluations differ between rows: {'; '.join(parts)}. A row with more has bought more.")
    if without := [label for label, number in asked.items() if not number]:
        found.append(
            f"No evaluations were spent by {', '.join(without)}: compare what they cost in the table of costs."
        )
    for number, labels in sorted(groups.items()):
        seconds = {label: mean([c["seconds"] for c in rows[label]]) for label in labels}
        known = {label: s for label, s in seconds.items() if s}
        if len(known) > 1 and max(known.values()) > SLACK * min(known.values()):
            low, high = min(known, key=lambda k: known[k]), max(known, key=lambda k: known[k])
            found.append(
                f"At {number:g} evaluations the seconds of a cell go from {known[low]:.3g} ({low}) to {known[high]:.3g}"
                f" ({high})."
            )
    return found


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of what is known."""
    known = [float(v) for v in values if v is not None]
    return sum(known) / len(known) if known else None
