"""Executing a plan: what runs, what is skipped, what fails, and that nothing of how it runs changes a byte."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.engine.cell import PlannedCell
from harness.engine.driver import execute
from harness.engine.store import Store

Make = Callable[..., PlannedCell]


def contents(store: Store) -> dict[str, bytes]:
    return {str(p.relative_to(store.root)): p.read_bytes() for p in sorted(store.root.glob("cells/*/*/*.npz"))}


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_second_execution_does_nothing(store: Store, make: Make, executor: str) -> None:
    plan = [make("push", seed=s) for s in (1, 2)]
    first = execute(plan, store, device="cpu", executor=executor)
    second = execute(plan, store, device="cpu", executor=executor)
    assert first.exit_code == second.exit_code == 0, first.statuses
    assert len(first.executed) == 2
    assert second.executed == ()
    assert len(second.cached) == 2
    assert second.statuses == first.statuses
