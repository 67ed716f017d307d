"""How long cells will take, from stored cells of the same (model, method, device), else of the same model."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from harness.engine.cell import Cell, Part, canonical
from harness.engine.components import NOTHING, Outside, task_of
from harness.engine.manifest import Manifest
from harness.engine.store import Store


class Basis(StrEnum):
    METHOD = "stored cells of the same model and method"
    MODEL = "stored cells of the same model"
    UNKNOWN = "no stored cell of the model"


@dataclass(frozen=True)
class Estimate:
    """seconds: None when unknown."""

    seconds: float | None
    basis: Basis


@dataclass
class Estimator:
    """Seconds an item, by (model, method) and by model, on one kind of device ("cpu", "cuda")."""

    device: str
    _by_method: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    _by_model: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store, device: str) -> Estimator:
        estimator = cls(device.partition(":")[0])
        for manifest in store.manifests():
            estimator.learn(manifest)
        return estimator

    def learn(self, manifest: Manifest) -> None:
        if manifest.device != self.device or not manifest.items:
            return
        cell, rate = manifest.cell, manifest.seconds.get("run", 0.0) / manifest.items
        self._by_method.setdefault((_model(cell.model), cell.method.name), []).append(rate)
        self._by_model.setdefault(_model(cell.model), []).append(rate)

    def estimate(self, cell: Cell) -> Estimate:
        model = _model(cell.model)
        if rates := self._by_method.get((model, cell.method.name)):
            return Estimate(statistics.median(rates) * items(cell), Basis.METHOD)
        if rates := self._by_model.get(model):
            return Estimate(statistics.median(rates) * items(cell), Basis.MODEL)
        return Estimate(None, Basis.UNKNOWN)

    def total(self, cells: Iterable[Cell]) -> float | None:
        """Seconds of work of all cells together; None when one of them is unknown."""
        seconds = [self.estimate(c).seconds for c in cells]
        return None if any(s is None for s in seconds) else float(sum(s for s in seconds if s is not None))


def _model(part: Part) -> str:
    return canonical([part.name, part.params])


def items(cell: Cell, outside: Outside = NOTHING) -> int:
    """Number of items of a cell, without touching a model; 0 when its task cannot be made (its worker says why)."""
    key = canonical([cell.task.name, cell.task.version, cell.task.params, cell.task.content])
    if key not in _counts:
        try:
            _counts[key] = len(task_of(cell, outside).items())
        except Exception:
            _counts[key] = 0
    return _counts[key]


_counts: dict[str, int] = {}
