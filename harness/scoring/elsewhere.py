"""What a run says of images made elsewhere: their entry in run.json, and the sentences at the top of the report.

The columns of the frames are fixed, so an origin has none of its own. It shows in four places: `model` and the cell's
method are "external", `params` holds {"origin": "external", …} with the rules of reading, the row carries the flag
"external" (a badge in the report), and run.json lists the cells with who, when and which files. `role` stays "method":
what was made elsewhere competes like everything else. Seconds, calls and memory are unknown and stay empty.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engine.cell import Cell, PlannedCell, canonical
from harness.engine.external import EXTERNAL, is_external
from harness.engine.files import read_json
from harness.engine.store import Store
from harness.methods.method import Source

if TYPE_CHECKING:
    from harness.suite import Plan

SOURCE = Source(title="images made elsewhere", licence="not stated")


def listed(external: Sequence[PlannedCell], store: Store) -> list[dict[str, Any]]:
    """Label, seed, address, spec and origin of each cell; enough to score it again with the next run."""
    return [
        {
            "label": p.label,
            "seed": p.cell.seed,
            "cell": p.cell.address,
            "spec": p.cell.spec(),
            "origin": _origin(p, store),
        }
        for p in external
    ]


def _origin(planned: PlannedCell, store: Store) -> dict[str, Any]:
    manifest = store.manifest(planned.cell.address)
    return {} if manifest is None else dict(manifest.provenance.get(EXTERNAL, {}))


def made_elsewhere(compare_to: str | None, external: Sequence[PlannedCell], store: Store) -> list[str]:
    """One sentence a row: who says so, and what a comparison with it is worth."""
    found = []
    for label in dict.fromkeys(p.label for p in external):
        mine = [p for p in external if p.label == label]
        origin = _origin(mine[0], store)
        by = origin.get("by", "not stated")
        who = "by whom is not stated" if by == "not stated" else f"by {by}"
        text = f"{label} was made elsewhere ({who}); time, calls and memory are unknown"
        if compare_to is not None:
            text += f", and it shares prompts but no noise with {compare_to}: differences are paired by prompt only"
        found.append(f"{text}.")
    return found


def kept_rows(plan: Plan, target: Path, added: Sequence[PlannedCell]) -> list[PlannedCell]:
    """The rows made elsewhere that a run directory has, as far as they still answer the suite.

    Rows whose label is added anew, or is one of the suite's by now, and rows that answered other prompts are left out.
    """
    record = read_json(target / "run.json")
    taken = {p.label for p in plan.cells} | {p.label for p in added}
    task, split = plan.cells[0].cell.task, plan.cells[0].cell.split
    rows = []
    for entry in record.get("external", []) if isinstance(record, dict) else []:
        with contextlib.suppress(KeyError, TypeError):
            cell = Cell.from_spec(entry["spec"])
            same = (
                canonical([vars(cell.task), cell.split]) == canonical([vars(task), split])
                and cell.seed in plan.suite.seeds
            )
            if is_external(cell) and same and entry["label"] not in taken:
                rows.append(PlannedCell(cell, str(entry["label"]), "method"))
    return rows
