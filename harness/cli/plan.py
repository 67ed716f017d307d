"""`harness plan SUITE`: what would run, what is already there, and how long the rest will take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.cli.arguments import Json, Only, Settings, StoreFolder, SuiteName, store_root
from harness.cli.output import print_json, put, table

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from harness.suite.expansion import Plan


def plan(
    suite: SuiteName,
    store: StoreFolder = None,
    set_: Settings = None,
    only: Only = None,
    as_json: Json = False,
) -> None:
    """Show what a suite would run.

    Cells by row, what is cached, an estimate of the time; what would be downloaded, the images that would be made and
    the device memory that the model needs. Opens no weights.
    """
    from harness.suite import load_suite
    from harness.suite import plan as expand

    planned = expand(load_suite(suite, set_ or ()), only or (), fetchable=True)
    root = store_root(store)
    forecast = foresee(planned, root)
    if as_json:
        print_json(forecast)
        return
    put(*overview(planned, forecast))


def foresee(planned: Plan, root: Path) -> dict[str, Any]:
    """The plan against the store, as plain values: rows in order, with cells, cached ones and seconds left."""
    from harness.engine.store import Store

    store = Store(root)
    addresses = [c.cell.address for c in planned.cells]
    cached = {a for a in dict.fromkeys(addresses) if store.cell(a) is not None}
    seconds = _seconds(planned, store, cached)
    images = len(planned.task.items())
    rows: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for item, address in zip(planned.cells, addresses, strict=True):
        row = rows.setdefault(
            item.label,
            {"row": item.label, "role": item.role, "method": item.cell.method.name, "cells": 0, "cached": 0,
             "to_run": 0, "images": 0, "seconds": 0.0},
        )  # fmt: skip
        row["cells"] += 1
        if address in cached or address in seen:
            row["cached"] += 1
            continue
        seen.add(address)
        row["to_run"] += 1
        row["images"] += images
        left = seconds.get(address)
        row["seconds"] = None if left is None or row["seconds"] is None else row["seconds"] + left
    known = [row["seconds"] for row in rows.values()]
    return {
        "suite": planned.suite.suite,
        "version": planned.suite.version,
        "title": planned.suite.title,
        "task": planned.task.name,
        "model": planned.model.name,
        "missing_data": {role: m for role, s in planned.image_sets.items() if (m := s.absent())},
        "missing_weights": _missing_weights(planned),
        "store": str(root),
        "item": planned.task.item,
        "items_per_cell": images,
        "cells": len(addresses),
        "cached": sum(row["cached"] for row in rows.values()),
        "to_run": len(seen),
        "images": sum(row["images"] for row in rows.values()),
        "seconds": None if None in known else sum(known),
        "metrics": [m.name for m in planned.metrics],
        "needs": _needs(planned),
        "compare_to": planned.compare_to,
        "rows": list(rows.values()),
    }


def _missing_weights(planned: Plan) -> dict[str, dict[str, Any]]:
    """Networks of the metrics that are not on this machine: what, how to fetch it, which metrics wait for it."""
    from harness.scoring.extractors import missing

    waiting: dict[str, list[str]] = {}
    for metric in planned.metrics:
        for name in sorted({n.name for n in metric.needs() if n.kind == "features"}):
            waiting.setdefault(name, []).append(metric.name)
    found = {name: missing(name) for name in waiting}
    return {
        name: {"what": m.what, "fetch": m.fetch, "metrics": waiting[name]} for name, m in found.items() if m is not None
    }


def _needs(planned: Plan) -> dict[str, Any] | None:
    """Download and device memory of the model, None where nothing is known of it."""
    from harness.engine.driver import MICRO_BATCH

    found = planned.model.footprint()
    return None if found is None else found.to_json(MICRO_BATCH)


def _seconds(planned: Plan, store: Any, cached: set[str]) -> dict[str, float]:
    """Address → estimated seconds, for the cells that past ones say something about."""
    from harness.engine.devices import slots
    from harness.engine.estimate import Estimator, items

    missing = [c for c in planned.cells if c.cell.address not in cached]
    if not missing:
        return {}
    estimator = Estimator.of(store, slots("auto", 1)[0])
    for item in missing:
        items(item.cell, item.outside)  # counted with the parameters that are in no address
    return {c.cell.address: s for c in missing if (s := estimator.estimate(c.cell).seconds) is not None}


def overview(planned: Plan, forecast: dict[str, Any]) -> list[RenderableType]:
    """What `plan` prints and `run` begins with."""
    from rich.text import Text

    head = Text.assemble((forecast["suite"], "bold"), (f"  version {forecast['version']}", "dim"))
    if forecast["title"]:
        head.append(f"\n{forecast['title']}")
    metrics = forecast["metrics"]
    head.append(
        f"\n{forecast['task']} on {forecast['model']}, {forecast['items_per_cell']} {forecast['item']}s a cell, ", "dim"
    )
    head.append(f"seeds {', '.join(str(s) for s in planned.suite.seeds)}, {len(metrics)} metrics", "dim")
    for role, missing in forecast["missing_data"].items():
        head.append(f"\n{role}: {missing}", "yellow")
    for name, lacks in forecast["missing_weights"].items():
        head.append(f"\n{name} is not here: {', '.join(lacks['metrics'])} will have no value; ", "yellow")
        head.append(lacks["fetch"], "dim")
    made = f"{forecast['item']}s"
    grid = table("row", "role", *COUNTS, made, "time", numbers=(*COUNTS, made, "time"))
    for row in forecast["rows"]:
        name = Text(row["row"], style="bold")
        if row["row"] == forecast["compare_to"]:
            name.append(" ◂ compared with", style="dim")
        grid.add_row(
            name, row["role"], str(row["cells"]), _dim(row["cached"]), _dim(row["to_run"]), _dim(row["images"]),
            duration(row["seconds"]),
        )  # fmt: skip
    grid.add_section()
    totals = (forecast["cells"], forecast["cached"], forecast["to_run"], forecast["images"])
    grid.add_row("all", "", *(str(n) for n in totals), duration(forecast["seconds"]), style="bold")
    foot = f"store {forecast['store']}"
    if forecast["seconds"] is None:
        foot += "; ? where no cell of the model has run here yet"
    return [head, grid, *_told(forecast["needs"]), Text(foot, style="dim")]


def _told(needs: dict[str, Any] | None) -> list[RenderableType]:
    """Download and memory in words."""
    from rich.text import Text

    if needs is None:
        return []
    lines: list[RenderableType] = []
    if needs["download"]:
        known = needs["download_bytes"]
        size = "of unknown size" if known is None else f"about {amount(known)} of weights"
        text = Text.assemble("to download: ", (needs["download"], "bold"), f", {size}", style="yellow")
        lines.append(text.append("; `harness run` says how, and where to put it"))
    if needs["device_bytes"] is not None:
        count = sum(needs["parameters"].values())
        one, many = amount(needs["device_bytes_one_item"]), amount(needs["device_bytes"])
        said = f"device memory: about {one} at --micro-batch 1, {many} at {needs['micro_batch']} (halved where short); "
        lines.append(Text(f"{said}{count / 1e6:,.0f} M parameters, {needs['basis']}", style="dim"))
    else:
        lines.append(Text(f"device memory: unknown, {needs['basis']}", style="dim"))
    return lines


def amount(count: int) -> str:
    """Bytes as people say them: 18 GB, 3.4 GB, 120 MB."""
    if count >= 1e9:
        return f"{count / 1e9:.0f} GB" if count >= 1e10 else f"{count / 1e9:.1f} GB"
    return f"{max(1, round(count / 1e6))} MB"


COUNTS = ("cells", "cached", "to run")


def _dim(count: int) -> str:
    return str(count) if count else "[dim]–[/]"


def duration(seconds: float | None) -> str:
    """Seconds as people say them; "?" when unknown."""
    if seconds is None:
        return "?"
    if seconds == 0:
        return "–"
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36 * 3600 else f"{seconds / 86400:.1f} d"
