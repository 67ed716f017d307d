"""Why a cell is cached, stale, failed or waiting: one line, found by comparing specs, never by guessing from times."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.engine.cell import Cell, Part
from harness.engine.components import ROLES, source_digest
from harness.engine.leases import Leases
from harness.engine.manifest import Manifest
from harness.engine.status import State
from harness.engine.store import Store

SHOWN = 3  # differences named in one line
CONTENT = {"task": "prompts", "model": "weights", "method": "content", "data": "data"}


@dataclass(frozen=True)
class Difference:
    """One ingredient of an address that differs: its name for people, and both values."""

    what: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.what} {self.old} → {self.new}"


def why(cell: Cell, store: Store, planned: Collection[str] = (), leases: Leases | None = None) -> str:
    """cached | waiting … | failed: … | stale: what changed, old → new | never ran.

    planned   addresses of the plan at hand: they are neighbours of the cell in a sweep, not what it was before
    """
    address = cell.address
    stored = store.cell(address)
    if stored is not None:
        notes = [*sorted(stored.flags), *changed_sources(stored.manifest)]
        return "; ".join(["cached", *notes])
    leases = leases or Leases(store.root)
    held = leases.held(address)
    if held is not None and leases.is_live(address):
        who = f"host {held.owner.host}, process {held.owner.pid}" if held.owner else "an unreadable owner"
        return f"waiting for lease of {who}, heartbeat {leases.age_s(address):.0f} s old"
    failure = store.failure(address)
    if failure is not None and failure.status.state is not State.CANCELLED:
        return str(failure.status)
    if store.manifest(address) is not None:
        return f"damaged: {', '.join(store.damaged(address))}; only that will be made again"
    if begun := len(store.shards(address)):
        return f"interrupted: {begun} {'shard' if begun == 1 else 'shards'} in the store"
    found = nearest(cell, store, planned)
    if found is None:
        return "never ran"
    named = [str(d) for d in found[:SHOWN]] + ([f"{len(found) - SHOWN} more"] if len(found) > SHOWN else [])
    return f"stale: {', '.join(named)}"


def nearest(cell: Cell, store: Store, planned: Collection[str] = ()) -> list[Difference] | None:
    """Differences from the stored spec of the same task, model and method names that has fewest; None without one."""
    best: list[Difference] | None = None
    for other in store.specs():
        same = all(getattr(other, k).name == getattr(cell, k).name for k in ("task", "model", "method"))
        if same and other.address not in planned and other.address != cell.address:
            found = list(differences(other, cell))
            if best is None or len(found) < len(best):
                best = found
    return best


def differences(old: Cell, new: Cell) -> Iterator[Difference]:
    """Every ingredient in which two specs differ."""
    if old.format != new.format:
        yield Difference("store format", str(old.format), str(new.format))
    for kind in ("task", "model", "method"):
        yield from _parts(kind, getattr(old, kind), getattr(new, kind))
    for role in sorted({*old.data, *new.data}):
        if role not in old.data or role not in new.data:
            yield Difference(f"data {role}", _name(old.data.get(role)), _name(new.data.get(role)))
        else:
            if old.data[role].name != new.data[role].name:
                yield Difference(f"data {role}", old.data[role].name, new.data[role].name)
            yield from _parts("data", old.data[role], new.data[role])
    yield from _values("library", old.libraries, new.libraries)
    if old.split != new.split:
        yield Difference("split", old.split, new.split)
    if old.seed != new.seed:
        yield Difference("seed", str(old.seed), str(new.seed))


def _parts(kind: str, old: Part, new: Part) -> Iterator[Difference]:
    if old.version != new.version:
        yield Difference(f"{kind} {new.name} version", str(old.version), str(new.version))
    yield from (
        Difference(f"parameter {d.what} of {kind} {new.name}", d.old, d.new)
        for d in _values("", old.params, new.params)
    )
    changed = list(_values("", old.content, new.content))
    settings = [d for d in changed if d.what.startswith("setting ")]
    yield from (Difference(f"{d.what} of {kind} {new.name}", d.old, d.new) for d in settings)
    changed = [d for d in changed if d not in settings]
    if changed:
        file = f" ({changed[0].what})" if len(new.content) > 1 else ""
        old_digest, new_digest = _short(changed[0].old), _short(changed[0].new)
        yield Difference(f"{CONTENT[kind]} of {kind} {new.name}{file} changed", old_digest, new_digest)


def _values(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for key in sorted({*old, *new}):
        before, after = old.get(key, "absent"), new.get(key, "absent")
        if _comparable(before) != _comparable(after):
            yield Difference(f"{kind} {key}".strip(), str(before), str(after))


def _comparable(value: Any) -> Any:
    return [_comparable(v) for v in value] if isinstance(value, list | tuple) else value


def _short(digest: str) -> str:
    return f"{digest[:4]}…" if len(digest) > 8 else digest


def _name(part: Part | None) -> str:
    return "absent" if part is None else part.name


def changed_sources(manifest: Manifest) -> list[str]:
    """Components whose source is not what the stored cell was made with, although their version is."""
    result = []
    recorded = manifest.provenance.get("code", {}).get("components", {})
    for label, component in recorded.items():
        name = label.partition(" ")[2]
        kind = next((k for k in ROLES if label.startswith(f"{k} ")), None)
        if kind is None:
            continue
        here = source_digest(kind, name)
        if here and component.get("source") and here != component["source"]:
            result.append(f"source of {kind} {name} changed, version still {component['version']}")
    return result
