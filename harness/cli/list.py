"""`harness list [KIND]`: every name that a suite can use, with one line about each."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.arguments import Json
from harness.cli.output import print_json, put

if TYPE_CHECKING:
    from harness.cli.cards import Line


class Kind(StrEnum):
    SUITES = "suites"
    TASKS = "tasks"
    METHODS = "methods"
    BASELINES = "baselines"
    METRICS = "metrics"
    JUDGES = "judges"
    RECOGNISERS = "recognisers"
    MODELS = "models"
    DATA = "data"


def list_names(
    kind: Annotated[Kind | None, typer.Argument(help="What to list; all kinds without it.")] = None,
    as_json: Json = False,
) -> None:
    """List the names that suites can use.

    [cyan]harness describe NAME[/] says more about any of them.
    """
    from harness.cli.cards import PLURALS, lines

    singular = {plural: one for one, plural in PLURALS.items()}
    kinds = [singular[k.value] for k in ([kind] if kind else Kind)]
    if "data" in kinds:
        kinds.append("prompts")
    found = {one: list(lines(one)) for one in kinds}
    if as_json:
        print_json([_record(line) for each in found.values() for line in each])
        return
    for one, each in found.items():
        _print(one, each)


def _record(line: Line) -> dict[str, object]:
    return {
        "kind": line.kind,
        "name": line.name,
        "names": list(line.names or (line.name,)),
        "summary": line.summary,
        "broken": line.broken,
    }


def _print(kind: str, lines: list[Line]) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    titles = {"data": "image sets (data)", "prompts": "prompt sets (task parameter prompts)"}
    put(Text(titles.get(kind, f"{kind}s"), style="bold cyan"))
    if not lines:
        put(Text("  none", style="dim"))
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0), expand=False)
    widest = max((len(line.name) for line in lines), default=0)
    grid.add_column(no_wrap=True, min_width=min(widest, 30))
    grid.add_column(overflow="fold")
    for line in lines:
        name = Text(line.name, style="bold")
        name.highlight_regex(r"\{\w+\}", "yellow")
        grid.add_row(name, Text(line.summary, style="red" if line.broken else ""))
    put(Padding(grid, (0, 0, 0, 2)))
    for hole, values in _holes(lines).items():
        put(Padding(Text(f"{{{hole}}}: {', '.join(values)}", style="dim"), (0, 0, 0, 2)))
    put("")


def _holes(lines: list[Line]) -> dict[str, list[str]]:
    """Placeholder → the values that fill it, over all lines."""
    import re

    holes: dict[str, list[str]] = {}
    for line in lines:
        if len(found := re.findall(r"\{(\w+)\}", line.name)) != 1:
            continue
        before, after = re.split(r"\{\w+\}", line.name)
        values = [n.removeprefix(before).removesuffix(after) for n in line.names]
        holes.setdefault(found[0], []).extend(v for v in values if v not in holes.get(found[0], []))
    return holes
