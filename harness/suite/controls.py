"""Which control belongs to which row: a control that names the method it controls is paired with the row whose
parameters it repeats, and the report compares the two beside the comparison with the baseline."""

from __future__ import annotations

from collections.abc import Sequence

from harness.engine.cell import PlannedCell
from harness.methods import METHODS


def controlled(cells: Sequence[PlannedCell]) -> tuple[tuple[str, str], ...]:
    """(row, its control), by label. A control with another variant than every row is paired with none."""
    rows = {p.label: p.cell.method for p in cells}
    found = []
    for control, part in rows.items():
        if not (name := METHODS.get(part.name).control_of):
            continue
        for label, other in rows.items():
            same = all(part.params.get(k) == v for k, v in other.params.items())
            if other.name == name and same:
                found.append((label, control))
    return tuple(found)
