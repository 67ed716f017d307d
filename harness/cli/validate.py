"""`harness validate SUITE…`: every problem of every suite, without running anything."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.arguments import Json, Settings
from harness.cli.output import BAD_INPUT, leave, print_json, put, show_problems


def validate(
    suites: Annotated[list[str], typer.Argument(metavar="SUITE…", help="YAML files or names of shipped suites.")],
    set_: Settings = None,
    as_json: Json = False,
) -> None:
    """Check suites without running them.

    Shape, names, parameters, and whether the task can feed every metric; all problems at once.
    """
    from harness.suite.errors import SuiteError
    from harness.suite.loading import load_suite

    records = []
    for name in suites:
        try:
            loaded = load_suite(name, set_ or ())
        except SuiteError as error:
            records.append({"suite": name, "valid": False, "problems": [p.to_json() for p in error.problems]})
            if not as_json:
                show_problems(error.problems)
            continue
        cells = sum(len(row.points) for row in loaded.rows) * len(loaded.suite.seeds)
        records.append({"suite": name, "valid": True, "cells": cells, "problems": []})
        if not as_json:
            counts = f"{len(loaded.rows)} rows, {cells} cells, {len(loaded.metrics)} metrics"
            put(f"[green]✓[/] [bold]{name}[/] [dim]version {loaded.suite.version}: {counts}[/]", wrap=False)
    if as_json:
        print_json(records)
    if not all(record["valid"] for record in records):
        leave(BAD_INPUT)
