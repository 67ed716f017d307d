"""`harness statistics SUITE`: mean, covariance and N of a data set's features, a file that stands for its images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.arguments import Json, Settings, StoreFolder, SuiteName, store_root
from harness.cli.output import BadInput, print_json, put


def statistics(
    suite: SuiteName,
    extractor: Annotated[
        str,
        typer.Option(
            "--extractor", metavar="NAME", help="Network of the features, as in fd.NAME; fid's is inception-clean."
        ),
    ],
    to: Annotated[Path, typer.Option("--to", metavar="FILE.npz", help="File to write.")],
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="Data set of the suite.")] = "reference",
    store: StoreFolder = None,
    device: Annotated[
        str, typer.Option("--device", metavar="auto|cpu|cuda[:N]", help="Where the network runs.")
    ] = "auto",
    set_: Settings = None,
    as_json: Json = False,
) -> None:
    """Write a data set's statistics, to be a reference without its images.

    In a suite: [cyan]data: {reference: {name: statistics, path: FILE.npz}}[/]. It serves Fréchet distances of this very
    network. clean-fid and pytorch-fid read the file too, and theirs are read with `extractor` and `n` stated.
    """
    from rich.text import Text

    from harness.data.statistics import write
    from harness.engine.devices import slots
    from harness.engine.store import Store
    from harness.options import nearest
    from harness.scoring.evidence import Source
    from harness.scoring.reference_statistics import statistics_of
    from harness.suite import load_suite

    if to.suffix != ".npz":
        raise BadInput(f"{to} is no name of an npz file", "as in --to reference.npz")
    loaded = load_suite(suite, set_ or ())
    if role not in loaded.image_sets:
        near = nearest(role, tuple(loaded.image_sets))
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise BadInput(f"the suite has no data set {role!r}{hint}", f"data: {', '.join(loaded.image_sets) or 'none'}")
    source = Source(Store(store_root(store)), loaded.task, loaded.image_sets, slots(device, 1)[0], "", _no_latents, 0)
    made = statistics_of(source, role, extractor)
    write(to, made)
    digest = loaded.image_sets[role].digest(loaded.task.texts())
    if as_json:
        facts: dict[str, Any] = {"to": str(to), "role": role, "data": digest, "n": made.moments.n}
        print_json({**facts, "extractor": made.extractor, "digest": made.digest, "dimension": len(made.moments.mean)})
        return
    put(Text(f"{made.moments.n} images of {role} through {made.title} → {to}"), wrap=False)


def _no_latents(_: Any) -> Any:
    raise AssertionError("statistics of latents are refused before")
