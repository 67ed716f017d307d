"""`harness store du|verify|gc`: what lies in the store, whether it is whole, and what no suite needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.arguments import Json, StoreFolder, store_root
from harness.cli.output import FAILED, BadInput, leave, print_json, put, table

app = typer.Typer(no_args_is_help=True, help="The store of artifacts: sizes, integrity, cleaning.")


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def _opened(given: Path | None) -> Any:
    from harness.engine.store import Store

    root = store_root(given)
    if not root.is_dir():
        raise BadInput(f"no store at {root}", "a run makes one; name another with --store DIR")
    return Store(root)


@app.command("du")
def du(store: StoreFolder = None, as_json: Json = False) -> None:
    """Show how much the store holds, by kind and by method."""
    kept = _opened(store)
    kinds = {p.name: _size(p) for p in sorted(kept.root.iterdir()) if p.is_dir()}
    methods: dict[str, dict[str, int]] = {}
    for manifest in kept.manifests():
        name = f"{manifest.cell.model.name} · {manifest.cell.method.name}"
        entry = methods.setdefault(name, {"cells": 0, "bytes": 0})
        entry["cells"] += 1
        entry["bytes"] += _size(kept.folder(manifest.cell.address))
    if as_json:
        print_json({"store": str(kept.root), "kinds": kinds, "methods": methods})
        return
    grid = table("what", "cells", "MB", numbers=("cells", "MB"))
    for name, size in kinds.items():
        grid.add_row(f"[bold]{name}[/]", "", f"{size / 1e6:.1f}")
    grid.add_section()
    for name, entry in methods.items():
        grid.add_row(name, str(entry["cells"]), f"{entry['bytes'] / 1e6:.1f}")
    put(grid)


@app.command("verify")
def verify(store: StoreFolder = None, as_json: Json = False) -> None:
    """Read and hash every artifact. Damaged cells count as missing and are made again by the next run."""
    kept = _opened(store)
    records = []
    for manifest in kept.manifests():
        address = manifest.cell.address
        if damaged := kept.damaged(address):
            records.append({"cell": address, "method": manifest.cell.method.name, "damaged": list(damaged)})
    total = sum(1 for _ in kept.manifests())
    if as_json:
        print_json({"store": str(kept.root), "cells": total, "damaged": records})
    else:
        for record in records:
            line = f"[red]✗[/] {record['cell']} {record['method']}: {', '.join(record['damaged'])}"
            put(line, wrap=False)
        put(f"{total} cells, {len(records)} damaged")
    if records:
        leave(FAILED)


@app.command("gc")
def gc(
    suites: Annotated[list[str], typer.Argument(metavar="SUITE…", help="Suites whose cells are kept.")],
    store: StoreFolder = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete what is listed; else nothing is touched.")] = False,
    as_json: Json = False,
) -> None:
    """List, and with --delete remove, the cells that none of the named suites (or saved suite.yaml) plans.

    Images made elsewhere stay as long as they answer one of these suites: nobody can make them again.
    """
    import shutil

    from harness.engine.cell import canonical
    from harness.engine.external import is_external
    from harness.suite import load_suite
    from harness.suite import plan as expand

    kept = _opened(store)
    planned = [c.cell for name in suites for c in expand(load_suite(name)).cells]
    asked = {canonical(vars(c.task)) for c in planned}
    needed = {c.address for c in planned}
    needed |= {c.address for c in kept.specs() if is_external(c) and canonical(vars(c.task)) in asked}
    records = []
    for folder in sorted(p for p in kept.root.glob("cells/*/*") if p.is_dir() and p.name not in needed):
        manifest = kept.manifest(folder.name)
        method = manifest.cell.method.name if manifest is not None else "unfinished"
        records.append({"cell": folder.name, "method": method, "bytes": _size(folder)})
        if delete and not (kept.root / "leases" / folder.name).exists():
            shutil.rmtree(folder)
    total = sum(int(r["bytes"]) for r in records)
    if as_json:
        print_json({"store": str(kept.root), "deleted": delete, "bytes": total, "cells": records})
        return
    grid = table("cell", "method", "MB", numbers=("MB",))
    for record in records:
        grid.add_row(record["cell"][:12], record["method"], f"{record['bytes'] / 1e6:.1f}")
    put(grid)
    verb = "deleted" if delete else "would be deleted; add --delete"
    put(f"{len(records)} cells, {total / 1e6:.1f} MB {verb}", wrap=False)
