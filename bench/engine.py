"""What the engine costs besides the work: planning 10 000 cells, and executing cells that do nothing.

There is no peer. Planning is what `harness plan` does: the suite read and checked, its cells, their addresses, and what
of them an empty store holds. A cell is executed by the in-process executor, from the driver to the manifest on disk;
its seconds include hashing, leases and atomic writes. CPU seconds stand in the note: they do not feel other work.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from unittest import mock

from bench.measure import Row

SUITE = Path(__file__).parent.parent / "suites" / "quickstart.yaml"
CELLS, EXECUTED = 10_000, 300
PLAN_S, CELL_S = 2.0, 0.010


def run() -> list[Row]:
    return [planning(), executing()]


def planning() -> Row:
    from harness.cli.plan import foresee
    from harness.suite import load_suite, plan

    rows = len(plan(load_suite(SUITE, ["seeds=[0]"])).cells)
    seeds = list(range(-(-CELLS // rows)))

    def call(folder: Path) -> int:
        return int(foresee(plan(load_suite(SUITE, [f"seeds={seeds}"])), folder)["cells"])

    cells, wall, cpu, _ = _best(call, 3)
    return Row(
        f"plan {cells} cells", wall, None, None, f"under {PLAN_S:g} s", wall < PLAN_S, note=f"{cpu:.2f} s of CPU"
    )


def executing() -> Row:
    from harness.engine import components
    from harness.engine.cell import Cell, Part, PlannedCell
    from harness.engine.driver import execute
    from harness.engine.store import Store

    for role, name in (("task", "NoTask"), ("model", "NoModel"), ("method", "NoMethod")):
        cast(dict[str, str], components.REGISTRIES[role].entries)["bench_nothing"] = f"bench.nothing:{name}"  # type: ignore[index]

    def cell(which: int) -> PlannedCell:
        return PlannedCell(
            Cell(
                task=Part("bench_nothing", 1, {}, {"prompts": "00" * 16}),
                model=Part("bench_nothing", 1, {}, {"nothing": "00" * 32}),
                method=Part("bench_nothing", 1, {"which": which}),
                split="report",
                seed=0,
            ),
            "nothing",
            "method",
        )

    def call(folder: Path, count: int = EXECUTED) -> Any:
        record = execute([cell(i) for i in range(count)], Store(folder), device="cpu", executor="inline")
        if record.exit_code:
            raise RuntimeError(f"a cell that does nothing ended with exit code {record.exit_code}")
        return record

    with tempfile.TemporaryDirectory() as folder:
        call(Path(folder), 2)  # what is read once a process: source digests, library versions
    _, wall, cpu, disk = _best(call, 3)
    each, cpu, disk = (seconds / EXECUTED for seconds in (wall, cpu, disk))
    note = f"mean of {EXECUTED}; {1000 * cpu:.1f} ms of CPU, {1000 * disk:.1f} ms of waiting for the disk (fsync)"
    return Row("execute a cell that does nothing", each, None, None, "at most 10 ms", each <= CELL_S, note=note)


def _best(call: Callable[[Path], Any], repeat: int) -> tuple[Any, float, float, float]:
    """The value of some calls on empty folders; of the quickest, its wall seconds, CPU seconds and seconds in fsync."""
    value, found = None, []
    real = os.fsync
    for _ in range(repeat):
        waited = 0.0

        def sync(descriptor: int) -> None:
            nonlocal waited
            began = time.perf_counter()
            real(descriptor)
            waited += time.perf_counter() - began

        with tempfile.TemporaryDirectory() as folder, mock.patch("os.fsync", sync):
            began, began_cpu = time.perf_counter(), time.process_time()
            value = call(Path(folder))
            found.append((time.perf_counter() - began, time.process_time() - began_cpu, waited))
    return value, *min(found)
