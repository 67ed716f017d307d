"""Arguments and options that several verbs share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SuiteName = Annotated[str, typer.Argument(metavar="SUITE", help="YAML file, or name of a shipped suite.")]
RunFolder = Annotated[str, typer.Argument(metavar="RUN", help="Run directory, or its name under runs/.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else there.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one value: model.guidance=5, methods.spell.radius=2."),
]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="NAME", help="Only rows of this label or method; repeatable.")
]
StoreFolder = Annotated[
    Path | None,
    typer.Option("--store", metavar="DIR", help="Store of artifacts. [dim]default: $HARNESS_STORE or runs/.store[/]"),
]


def store_root(given: Path | None) -> Path:
    """The store's folder: the option, the environment, the default."""
    import os

    from harness.runs import STORE

    return given if given is not None else Path(os.environ.get("HARNESS_STORE", STORE))
