"""Flags that need more than one cell: which interventions changed nothing."""

from __future__ import annotations

from collections.abc import Iterable

from harness.engine.cell import Cell, canonical
from harness.engine.store import Store

# methods that are the control "leave everything as it is"
DO_NOTHING = frozenset({"iid", "untouched", "identity", "do_nothing"})


def inert(cells: Iterable[Cell], store: Store, do_nothing: frozenset[str] = DO_NOTHING) -> frozenset[str]:
    """Addresses of finished cells whose seen artifacts equal those of the do-nothing cell of the same inputs."""
    result: set[str] = set()
    for address, base in untouched(cells, do_nothing).items():
        ours, theirs = store.manifest(address), store.manifest(base)
        if ours is not None and theirs is not None and ours.seen() == theirs.seen():
            result.add(address)
    return frozenset(result)


def untouched(cells: Iterable[Cell], do_nothing: frozenset[str] = DO_NOTHING) -> dict[str, str]:
    """Address of every intervening cell → that of the do-nothing cell of the same task, model, split and seed."""
    grouped: dict[str, list[Cell]] = {}
    for cell in cells:
        key = canonical([cell.spec()[k] for k in ("task", "model", "split", "seed")])
        grouped.setdefault(key, []).append(cell)
    found: dict[str, str] = {}
    for group in grouped.values():
        if nothing := [c for c in group if c.method.name in do_nothing]:
            found |= {c.address: nothing[0].address for c in group if c.method.name not in do_nothing}
    return found
