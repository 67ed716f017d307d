"""The file a worker is given: one cell and how to execute it. Readable, and enough to repeat a failed cell by hand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.engine.cell import Cell, digest_of
from harness.engine.files import as_json, read_json, write_bytes
from harness.engine.leases import PERIOD_S
from harness.engine.store import Store


class BadSpec(ValueError):
    """A file that is no spec."""


@dataclass(frozen=True)
class Execution:
    """How a cell is executed: nothing of this is in an address.

    device       "cpu", "cuda", "cuda:1"
    micro_batch  items a network call, at most
    threads      torch's threads in the worker; None leaves them
    executor     name of what runs it, for the record
    command      the user's command line, paths cut
    heartbeat_s  period of the lease's counter
    at_once      evaluations of a search at the same time
    outside      parameters that are not identity (paths), by component: task, model, method, data ROLE
    """

    device: str = "cpu"
    micro_batch: int = 64
    threads: int | None = None
    executor: str = "by hand"
    command: tuple[str, ...] = ()
    heartbeat_s: float = PERIOD_S
    at_once: int = 1
    outside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    cell: Cell
    store: Store
    execution: Execution

    def write(self) -> Path:
        """Write the spec into its store, under a name made of cell and execution; its path. Raises OSError."""
        execution = asdict(self.execution)
        path = self.store.root / "specs" / f"{self.cell.address}-{digest_of(execution)[:8]}.json"
        data = as_json({"cell": self.cell.spec(), "execution": execution, "store": ".."})
        try:
            whole = path.read_bytes() == data
        except FileNotFoundError:
            whole = False
        if not whole:  # also what a loss of power tore: specs are not synced, they are written again
            write_bytes(path, data, synced=False)
        return path

    @classmethod
    def read(cls, path: Path) -> Spec:
        """The spec of a file; a relative store is relative to the file. Raises BadSpec."""
        record = read_json(path)
        if not isinstance(record, Mapping):
            raise BadSpec(f"{path}: not a readable spec")
        try:
            execution: dict[str, Any] = dict(record.get("execution", {}))
            execution["command"] = tuple(execution.get("command", ()))
            root = Path(os.path.normpath(path.parent / record["store"]))
            return cls(Cell.from_spec(record["cell"]), Store(root), Execution(**execution))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadSpec(f"{path}: not a spec of a cell: {type(error).__name__}: {error}") from error
