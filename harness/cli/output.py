"""Where words go: data to stdout, everything else to stderr; one JSON document or none; panels only for people.

Exit codes: 0 fine, 1 a cell failed, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from harness.suite.errors import Located

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class BadInput(Exception):
    """Something the user gave cannot be used. title: what; lines: why and what to do instead."""

    def __init__(self, title: str, *lines: str) -> None:
        self.title, self.lines = title, lines
        super().__init__("\n".join((title, *lines)))


PIPE_WIDTH = 120  # columns of a table that goes into a pipe or a file, where $COLUMNS does not say


def out() -> Console:
    """The console of data."""
    return _console(sys.stdout)


def err() -> Console:
    """The console of messages."""
    return _console(sys.stderr)


def _console(stream: Any) -> Console:
    from rich.console import Console

    made = Console(file=stream, highlight=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = PIPE_WIDTH
    return made


def put(*blocks: RenderableType, on: Console | None = None, wrap: bool = True) -> None:
    """Prints blocks to the console of data (or another), without blanks at line ends in pipes.

    wrap  False for lines that a script or a terminal's own wrapping should get whole
    """
    console = on or out()
    if console.is_terminal:
        for block in blocks:
            console.print(block, soft_wrap=not wrap)
        return
    with console.capture() as captured:
        for block in blocks:
            console.print(block, soft_wrap=not wrap)
    console.file.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def leave(code: int) -> NoReturn:
    """Ends the command with an exit code."""
    import typer

    raise typer.Exit(code)


def table(*columns: str, title: str = "", numbers: Iterable[str] = ()) -> Table:
    """An empty table in the house style; columns in `numbers` are right-aligned."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, header_style="bold")
    for column in columns:
        if column in set(numbers):
            made.add_column(column, justify="right", no_wrap=True)
        else:
            made.add_column(column, overflow="fold")
    return made


def show_error(title: str, body: RenderableType | str, plain: str) -> None:
    """An error on stderr: a panel in a terminal, plain lines in a pipe."""
    console = err()
    if not console.is_terminal:
        sys.stderr.write(plain.rstrip("\n") + "\n")
        return
    from rich import box
    from rich.panel import Panel

    console.print(Panel(body, title=f"[bold]{title}[/]", title_align="left", border_style="red", box=box.ROUNDED))


def show_problems(problems: tuple[Located, ...]) -> None:
    """Everything wrong with a suite."""
    from rich.console import Group
    from rich.text import Text

    from harness.suite.errors import SuiteError

    width = err().width - 4
    blocks: list[Text] = []
    for index, problem in enumerate(problems):
        text = Text("\n" if index else "")
        text.append(str(problem.mark), style="bold")
        text.append(f": {problem.sentence}")
        blocks.append(text)
        if excerpt := problem.mark.excerpt(width):
            line, caret = excerpt.split("\n")
            blocks.append(Text.assemble((line, "cyan"), "\n", (caret, "bold red"), no_wrap=True))
    count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
    show_error(f"bad input: {count}", Group(*blocks), str(SuiteError(problems)))
