"""`harness run SUITE`: execute, score, report. Always resumes what is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.arguments import Json, Only, Settings, StoreFolder, SuiteName, store_root
from harness.cli.output import FAILED, INTERRUPTED, err, leave, print_json, put

if TYPE_CHECKING:
    from harness.runs import Run


def run(
    suite: SuiteName,
    out_: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Run directory. [dim]default: runs/<suite name>[/]")
    ] = None,
    store: StoreFolder = None,
    device: Annotated[str, typer.Option("--device", metavar="auto|cpu|cuda[:N]", help="Where models run.")] = "auto",
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=0, help="Processes; 0 is one a device.")] = 0,
    micro_batch: Annotated[
        int | None,
        typer.Option("--micro-batch", metavar="N", min=1, help="Items a network call at most; changes no draw."),
    ] = None,
    at_once: Annotated[
        int, typer.Option("--at-once", metavar="N", min=1, help="Evaluations of a search together; changes no result.")
    ] = 1,
    set_: Settings = None,
    only: Only = None,
    as_json: Json = False,
) -> None:
    """Run a suite to its report; the same command resumes.

    Finished cells are kept and nothing is done twice. Ctrl-C leaves a run that can be resumed.

    Exit code 0: all cells done; 1: a cell failed; 2: bad input; 130: interrupted.
    """
    from harness.cli.plan import foresee, overview
    from harness.cli.progress import show_progress
    from harness.runs import run_suite
    from harness.suite import load_suite
    from harness.suite import plan as expand

    planned = expand(load_suite(suite, set_ or ()), only or ())
    root = store_root(store)
    console = err()
    forecast = foresee(planned, root)
    if not as_json:
        put(*overview(planned, forecast), "", on=console)
    try:
        with show_progress(console, forecast, quiet=as_json) as notify:
            finished = run_suite(
                planned,
                out=out_,
                store=root,
                device=device,
                workers=workers,
                micro_batch=micro_batch,
                at_once=at_once,
                on_event=notify,
            )
    except KeyboardInterrupt:
        console.print("[yellow]interrupted[/]; what is finished is kept, and the same command resumes")
        leave(INTERRUPTED)
    conclude(finished, as_json, finished.failed)


def conclude(finished: Run, as_json: bool, failed: tuple[str, ...]) -> None:
    """Table and paths of a scored run, or one JSON document; exit code 1 where `failed` has a line."""
    from rich.text import Text

    if as_json:
        print_json(_record(finished))
    else:
        from harness.report.terminal import summary_table

        put(summary_table(finished.view()))
        frames = Text(f"frames  {finished.path}/scores.parquet, items.parquet", style="dim")
        put(Text.assemble("report  ", (str(finished.report), "bold")), frames, wrap=False)
    for line in failed:
        err().print(Text(f"✗ {line}", style="red"), soft_wrap=True)
    if failed:
        leave(FAILED)


def _record(finished: Run) -> dict[str, Any]:
    """What a script wants: where things are, how the cells ended, and the aggregate scores."""
    import math

    cells = finished.record["cells"]
    states: dict[str, int] = {}
    for cell in cells:
        states[cell["status"]] = states.get(cell["status"], 0) + 1
    frame = finished.scores
    rows = frame[frame["seed"].astype(str) == "all"].to_dict("records")
    scores = [{k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()} for row in rows]
    return {
        "run": str(finished.path),
        "suite": finished.record["suite"]["suite"],
        "report": str(finished.report),
        "cells": states,
        "failed": list(finished.failed),
        "scores": scores,
    }
