"""`harness describe NAME`: one page about anything that a suite can name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.arguments import Json
from harness.cli.output import print_json, put

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.cli.cards import Card


FULL_LINE = 90  # characters from which a line of a docstring counts as broken by its width


def describe(
    name: Annotated[str, typer.Argument(help="Any name of `harness list`: fd.avatars, spell, iid, quickstart, …")],
    as_json: Json = False,
) -> None:
    """Describe anything a suite can name.

    A method, metric, task, model, judge, recogniser, baseline, data set or suite: parameters, source, licence, needs.
    """
    from harness.cli.cards import cards

    found = cards(name)
    if as_json:
        print_json([card.to_json() for card in found])
        return
    for index, card in enumerate(found):
        put(*([""] if index else []), *_page(card))


def _page(card: Card) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.rule import Rule
    from rich.table import Table
    from rich.text import Text

    kind = {"data": "image set", "prompts": "prompt set"}.get(card.kind, card.kind)
    yield Text.assemble((card.name, "bold"), "  ", (kind, "cyan"))
    yield Rule(style="dim", characters="─")
    if card.summary:
        yield Text(card.summary)
    for problem in card.problems:
        yield Text(problem, style="red")
    if card.facts:
        grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for what, value in card.facts:
            grid.add_row(what, Text(value))
        yield ""
        yield Padding(grid, (0, 0, 0, 2))
    if card.parameters:
        yield ""
        yield Text("parameters", style="bold")
        yield _parameters(card)
    elif card.kind in {"method", "metric", "task", "model", "data"} and not card.problems:
        yield Text("\nno parameters", style="dim")
    if rest := reflowed(card.text.removeprefix(card.summary).strip("\n")):
        yield ""
        yield Padding(Text(rest), (0, 0, 0, 2))


def reflowed(text: str) -> str:
    """Documentation with the line breaks of full lines taken out; short lines, as of formulas, stay."""
    made, before = "", ""
    for line in text.splitlines():
        joins = len(before) >= FULL_LINE and line[:1].strip() != ""
        made += f" {line}" if joins else f"\n{line}"
        before = line
    return made.strip("\n")


def _parameters(card: Card) -> RenderableType:
    """One block a parameter: name, type and default on the first line, the rest below."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(no_wrap=True, justify="right")
    grid.add_column(overflow="fold")
    for row in card.parameters:
        default = Text("required", style="yellow") if row["required"] else Text(_default(row["default"]))
        if row.get("preset"):
            default.stylize("green")
        about = Text(row["help"])
        notes = [row["type"], row["unit"], row["bounds"]]
        notes += [f"source: {row['source']}"] if row["source"] else []
        notes += [] if row["in_id"] else ["not part of the identity"]
        notes += ["set by this baseline"] if row.get("preset") else []
        about.append(("\n" if row["help"] else "") + " · ".join(n for n in notes if n), style="dim")
        grid.add_row(row["name"], default, about)
    return Padding(grid, (0, 0, 0, 2))


def _default(value: Any) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 24 else f"{text[:23]}…"
