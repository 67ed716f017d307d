"""`harness status RUN`: what became of every cell, and why a cell would run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.arguments import Json, RunFolder, StoreFolder
from harness.cli.output import BadInput, print_json, put, table

if TYPE_CHECKING:
    from harness.engine.cell import PlannedCell
    from harness.engine.store import Store


def status(
    run: RunFolder,
    why: Annotated[
        str | None,
        typer.Option("--why", metavar="CELL", help="Why this cell is as it is: start of an address, or LABEL:SEED."),
    ] = None,
    store: StoreFolder = None,
    as_json: Json = False,
) -> None:
    """Show the state of a run's cells, and why each would run again.

    The saved suite is planned anew and compared with the store.
    """
    from harness.engine.staleness import why as reason
    from harness.runs import read_run
    from harness.scoring.elsewhere import kept_rows
    from harness.suite import load_suite
    from harness.suite import plan as expand

    found = read_run(run)
    planned = expand(load_suite(found.path / "suite.yaml"))
    kept = found.store if store is None else type(found.store)(store)
    every = (*planned.cells, *kept_rows(planned, found.path, ()))
    cells = _chosen(every, why) if why is not None else every
    addresses = {item.cell.address for item in planned.cells}
    records = [_record(item, kept, reason(item.cell, kept, addresses)) for item in cells]
    if as_json:
        print_json({"run": str(found.path), "store": str(kept.root), "cells": records})
    else:
        _print(str(found.path), records)


def _record(item: PlannedCell, store: Store, reason: str) -> dict[str, Any]:
    waits = reason.startswith("waiting")
    return {
        "cell": item.cell.address,
        "method": item.label,
        "role": item.role,
        "seed": item.cell.seed,
        "status": "running" if waits else store.status(item.cell.address).state.value,
        "why": reason,
    }


def _chosen(cells: Any, why: str) -> list[Any]:
    """The cells that a beginning of an address, or LABEL:SEED, or LABEL names."""
    found = [c for c in cells if c.cell.address.startswith(why) or why in (c.label, f"{c.label}:{c.cell.seed}")]
    if not found:
        examples = ", ".join(f"{c.label}:{c.cell.seed}" for c in list(cells)[:3])
        raise BadInput(f"no cell {why!r} in this run", f"give the start of an address or LABEL:SEED, as in {examples}")
    return found


_COLORS = {"ok": "green", "failed": "red", "oom": "red", "timeout": "red", "running": "cyan"}


def _print(run: str, records: list[dict[str, Any]]) -> None:
    from rich.text import Text

    counts: dict[str, int] = {}
    for record in records:
        counts[record["status"]] = counts.get(record["status"], 0) + 1
    summary = ", ".join(f"{n} {state}" for state, n in counts.items())
    grid = table("cell", "row", "seed", "status", "why", numbers=("seed",))
    for record in records:
        state = Text(record["status"], style=_COLORS.get(record["status"], "yellow"))
        grid.add_row(record["cell"][:8], record["method"], str(record["seed"]), state, record["why"])
    put(Text.assemble((run, "bold"), f"  {len(records)} {'cell' if len(records) == 1 else 'cells'}: {summary}"), grid)
