"""Estimates of time come from stored cells of the same kind, and say on which ground."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.engine.cell import PlannedCell
from harness.engine.estimate import Basis, Estimate, Estimator
from harness.engine.spec import Execution
from harness.engine.store import Store
from harness.engine.worker import run_cell

Make = Callable[..., PlannedCell]


def test_the_nearest_stored_cells_are_used(store: Store, make: Make) -> None:
    done = make("push", task={"pause_s": 0.005}).cell
    run_cell(done, store, Execution("cpu", 4))
    estimator = Estimator.of(store, "cpu")
    same = estimator.estimate(make("push", seed=7, task={"prompts": 8}).cell)
    assert same.basis is Basis.METHOD
    assert same.seconds == pytest.approx(32 * 0.005, rel=0.6)
    assert estimator.estimate(make("asleep").cell).basis is Basis.MODEL
    assert estimator.estimate(make("push", scale=3.0).cell) == Estimate(None, Basis.UNKNOWN)
    assert Estimator.of(store, "cuda:0").estimate(done).basis is Basis.UNKNOWN
    assert estimator.total([done, make("push", scale=3.0).cell]) is None
    assert estimator.total([done, done]) == pytest.approx(2 * 16 * 0.005, rel=0.6)
