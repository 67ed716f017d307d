"""Which row belongs to which other: a control that names the method it controls is paired with the row whose
parameters it repeats, and `against` pairs as a suite says. The report compares the two beside the baseline."""

from __future__ import annotations

from collections.abc import Sequence

from harness.engine.cell import PlannedCell
from harness.methods import METHODS
from harness.suite.rows import LoadedRow


def controlled(cells: Sequence[PlannedCell], stated: Sequence[LoadedRow] = ()) -> tuple[tuple[str, str], ...]:
    """(row, its control), by label. A control with another variant than every row is paired with none."""
    rows = {p.label: p.cell.method for p in cells}
    found = [(label, row.against) for row in stated if row.against for label in row.labels if label in rows]
    for control, part in rows.items():
        if not (name := METHODS.get(part.name).control_of):
            continue
        for label, other in rows.items():
            same = all(part.params.get(k) == v for k, v in other.params.items())
            if other.name == name and same:
                found.append((label, control))
    return tuple(dict.fromkeys(found))
