"""`why` names what changed in each case of E1 (E7), and tells neighbours from predecessors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.engine.cell import Cell, Part, PlannedCell
from harness.engine.leases import Leases
from harness.engine.spec import Execution
from harness.engine.staleness import why
from harness.engine.status import CellStatus, State
from harness.engine.store import Store
from harness.engine.worker import run_cell

Make = Callable[..., PlannedCell]
EXECUTION = Execution("cpu", 4)

CASES: dict[str, tuple[Callable[[Cell], Cell], str]] = {
    "task version": (lambda c: replace(c, task=replace(c.task, version=2)), "stale: task toy_task version 1 → 2"),
    "task parameter": (
        lambda c: replace(c, task=replace(c.task, params={**c.task.params, "each": 8})),
        "stale: parameter each of task toy_task 4 → 8",
    ),
    "prompts": (
        lambda c: replace(c, task=replace(c.task, content={"prompts": "ff" * 16})),
        "stale: prompts of task toy_task changed 0000… → ffff…",
    ),
    "model version": (lambda c: replace(c, model=replace(c.model, version=2)), "stale: model toy_model version 1 → 2"),
    "weights": (
        lambda c: replace(c, model=replace(c.model, content={"toy.safetensors": "bb" * 32})),
        "stale: weights of model toy_model changed aaaa… → bbbb…",
    ),
    "method version": (lambda c: replace(c, method=replace(c.method, version=4)), "stale: method push version 3 → 4"),
    "method parameter": (
        lambda c: replace(c, method=replace(c.method, params={"strength": 0.75})),
        "stale: parameter strength of method push 0.5 → 0.75",
    ),
    "data added": (
        lambda c: replace(c, data={"train": Part("avatars/train", 1)}),
        "stale: data train absent → avatars/train",
    ),
    "library": (lambda c: replace(c, libraries={"numpy": "2.5"}), "stale: library numpy 2.4 → 2.5"),
    "split": (lambda c: replace(c, split="tune"), "stale: split report → tune"),
    "seed": (lambda c: replace(c, seed=2), "stale: seed 1 → 2"),
    "two at once": (
        lambda c: replace(c, seed=2, split="tune"),
        "stale: split report → tune, seed 1 → 2",
    ),
    "method name": (lambda c: replace(c, method=replace(c.method, name="other")), "never ran"),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_changed_ingredient_is_named(store: Store, make: Make, name: str) -> None:
    cell = make("push").cell
    assert why(cell, store) == "never ran"
    run_cell(cell, store, EXECUTION)
    assert why(cell, store) == "cached"
    mutate, line = CASES[name]
    assert why(mutate(cell), store) == line


def test_data_that_changed_is_named(store: Store, make: Make) -> None:
    before = replace(make("push").cell, data={"train": Part("avatars/train", 1, {}, {"digest": "aa" * 16})})
    store.fail(before, CellStatus(State.FAILED, "x"))
    after = replace(before, data={"train": Part("avatars/train", 1, {}, {"digest": "bb" * 16})})
    assert why(after, store) == "stale: data of data avatars/train changed aaaa… → bbbb…"


def test_a_neighbour_in_the_plan_is_not_what_a_cell_was_before(store: Store, make: Make) -> None:
    first, second = make("push").cell, make("push", seed=2).cell
    run_cell(first, store, EXECUTION)
    assert why(second, store, planned={first.address, second.address}) == "never ran"


def test_failed_interrupted_damaged_and_leased_cells_say_so(store: Store, make: Make) -> None:
    failed = make("broken").cell
    run_cell(failed, store, EXECUTION)
    assert why(failed, store).startswith("failed: ValueError: no luck with item 8")
    stopped = make("push").cell
    asked = iter([False, True])
    run_cell(stopped, store, EXECUTION, stop=lambda: next(asked))
    assert why(stopped, store) == "interrupted: 1 shard in the store"
    run_cell(stopped, store, EXECUTION)
    (store.folder(stopped.address) / "shard-00001.npz").unlink()
    assert why(stopped, store) == "damaged: shard-00001.npz; only that will be made again"
    leases = Leases(store.root)
    lease = leases.take(stopped.address, "process")
    assert lease is not None
    assert why(stopped, store).startswith("waiting for lease of host ")
    lease.release()


def test_changed_source_with_the_same_version_is_said(store: Store, make: Make) -> None:
    cell = make("push").cell
    run_cell(cell, store, EXECUTION)
    path = store.folder(cell.address) / "manifest.json"
    manifest = json.loads(path.read_text())
    assert len(manifest["provenance"]["code"]["components"]["method push"]["source"]) == 16
    manifest["provenance"]["code"]["components"]["method push"]["source"] = "0" * 16
    path.write_text(json.dumps(manifest))
    assert why(cell, store) == "cached; source of method push changed, version still 3"
