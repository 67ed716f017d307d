"""Flags that need more than one cell: which interventions changed nothing."""

from __future__ import annotations

from collections.abc import Iterable

from harness.engine.cell import Cell, canonical
from harness.engine.store import Store

DO_NOTHING = frozenset({"iid", "identity"})  # methods that are the control "leave everything as it is"


def inert(cells: Iterable[Cell], store: Store, do_nothing: frozenset[str] = DO_NOTHING) -> frozenset[str]:
    """Addresses of finished cells whose seen artifacts equal those of the do-nothing cell of the same inputs."""
    grouped: dict[str, list[Cell]] = {}
    for cell in cells:
        key = canonical([cell.spec()[k] for k in ("task", "model", "split", "seed")])
        grouped.setdefault(key, []).append(cell)
    result: set[str] = set()
    for group in grouped.values():
        nothing = [c for c in group if c.method.name in do_nothing]
        if not nothing or (base := store.manifest(nothing[0].address)) is None:
            continue
        for cell in group:
            if cell.method.name not in do_nothing:
                manifest = store.manifest(cell.address)
                if manifest is not None and manifest.seen() == base.seen():
                    result.add(cell.address)
    return frozenset(result)
