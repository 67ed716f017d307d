"""`harness zoo list|train|verify`: the models that are shipped with the harness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.arguments import Json
from harness.cli.output import FAILED, BadInput, err, leave, print_json, put, table

if TYPE_CHECKING:
    from harness.models.zoo import ZooEntry

app = typer.Typer(no_args_is_help=True, help="Shipped models: list them, retrain them, check their files.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="A name of `harness zoo list`.")]


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """List the shipped models with size, licence and whether they are here."""
    from harness.models.zoo import ZOO

    records = [_record(entry) for entry in ZOO.values()]
    if as_json:
        print_json(records)
        return
    grid = table("model", "here", "MB", "licence", "what it is", numbers=("MB",))
    for record in records:
        here = "[green]yes[/]" if record["present"] else "[red]no[/]"
        size = f"{record['bytes'] / 1e6:.1f}" if record["present"] else "–"
        grid.add_row(f"[bold]{record['name']}[/]", here, size, record["licence"] or "–", record["summary"])
    put(grid)


def _record(entry: ZooEntry) -> dict[str, Any]:
    card = entry.card if entry.is_present else {}
    files = card.get("files", {})
    return {
        "name": entry.name,
        "kind": entry.kind,
        "summary": entry.summary,
        "present": entry.is_present,
        "bytes": sum(int(f["bytes"]) for f in files.values()),
        "files": len(files),
        "licence": card.get("licence", ""),
        "recipe": entry.recipe,
    }


def known(name: str) -> ZooEntry:
    """The entry of that name. Raises BadInput with near names."""
    from harness.models.zoo import ZOO
    from harness.options import nearest

    if name not in ZOO:
        near = nearest(name, ZOO)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise BadInput(f"unknown shipped model {name!r}{hint}", f"known: {', '.join(ZOO)}")
    return ZOO[name]


@app.command("verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Which; all without names.")] = None,
    as_json: Json = False,
) -> None:
    """Hash the files of shipped models and compare with their cards."""
    from harness.models.zoo import ZOO

    records = [verdict(known(name)) for name in names or ZOO]
    if as_json:
        print_json(records)
    else:
        for record in records:
            mark = "[green]✓[/]" if record["ok"] else "[red]✗[/]"
            put(f"{mark} [bold]{record['name']}[/] [dim]{record['detail']}[/]", wrap=False)
    if not all(record["ok"] for record in records):
        leave(FAILED)


def verdict(entry: ZooEntry) -> dict[str, Any]:
    """Whether the files of a shipped model are the ones on its card."""
    from harness.models.zoo import verify as check

    try:
        files = check(entry.name)
    except FileNotFoundError:
        detail = f"not here; bring it with: harness zoo train {entry.name}"
        return {"name": entry.name, "ok": False, "detail": detail}
    except (ValueError, KeyError, OSError) as error:
        return {"name": entry.name, "ok": False, "detail": str(error)}
    return {"name": entry.name, "ok": True, "detail": f"{len(files)} files as on the card"}


@app.command("train", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train(
    context: typer.Context,
    name: Name,
    out_: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where to write. [dim]default: over the shipped files[/]"),
    ] = None,
) -> None:
    """Run the recipe of a shipped model again: minutes to hours.

    Further options go to the recipe: --steps N, --device cuda, … ([cyan]python -m RECIPE --help[/] names them).
    """
    import subprocess
    import sys

    entry = known(name)
    target = entry.directory if out_ is None else out_
    err().print(f"[dim]{entry.recipe} →[/] {target}", soft_wrap=True)
    command = [sys.executable, "-m", entry.recipe, "--out", str(target), *context.args]
    if code := subprocess.run(command, check=False).returncode:
        raise BadInput(f"the recipe of {name} ended with exit code {code}", "its messages are above")
