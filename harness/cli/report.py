"""`harness report RUN`: the report of a run, rendered anew from its frames."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from harness.cli.arguments import RunFolder


class ReportFormat(StrEnum):
    HTML = "html"
    MD = "md"
    CSV = "csv"


def report(
    run: RunFolder,
    format_: Annotated[
        ReportFormat, typer.Option("--format", help="html is written to RUN/report.html, md and csv go to stdout.")
    ] = ReportFormat.HTML,
) -> None:
    """Render the report of a run again.

    html goes to the run's folder, md and csv go to stdout.
    """
    from harness.report import render
    from harness.runs import read_run, write_report

    found = read_run(run)
    if format_ is ReportFormat.HTML:
        sys.stdout.write(f"{write_report(found)}\n")
        return
    sys.stdout.write(render(found.view(), "md" if format_ is ReportFormat.MD else "csv"))
