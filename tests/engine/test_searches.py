"""Searches in the engine: every evaluation is stored as it ends, none is paid twice, and order changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.engine import components
from harness.engine.cell import Cell, Part, PlannedCell
from harness.engine.driver import execute
from harness.engine.store import Store
from harness.options import build, params_of


def cell(
    name: str = "afterlearner", *, seed: int = 1, task: dict[str, Any] | None = None, **params: Any
) -> PlannedCell:
    given = (
        {"parameterisation": "decoding", "optimiser": "CMA", "budget": 24, **params} if name == "afterlearner" else {}
    )
    method = build(components.METHODS.get(name), given)
    made = build(components.TASKS.get("toy_retrofit"), task or {})
    spec = Cell(
        task=Part("toy_retrofit", 1, params_of(made), made.content()),
        model=Part("toy_session", 1, {}, {"toy.safetensors": "bb" * 32}),
        method=Part(name, method.version, params_of(method)),
        split="report",
        seed=seed,
        libraries={"numpy": "2.4"},
    )
    return PlannedCell(spec, name, "method")


def run(store: Store, *planned: PlannedCell, **options: Any) -> None:
    record = execute(list(planned), store, device="cpu", executor="inline", **options)
    assert record.exit_code == 0, record.statuses


def contents(store: Store) -> dict[str, bytes]:
    return {
        str(p.relative_to(store.root)): p.read_bytes()
        for kind in ("cells", "searches")
        for p in sorted(store.root.glob(f"{kind}/**/*.npz"))
    }


def judged(marks: Path) -> list[str]:
    return (marks / "judged").read_text().splitlines() if (marks / "judged").exists() else []


def test_a_search_improves_the_report_and_is_accounted_for(store: Store, marks: Path) -> None:
    search, nothing = cell(), cell("untouched")
    run(store, search, nothing)
    found = store.search(search.cell.address)
    assert found["losses"].shape == (24, 10)
    assert not found["points"][0].any()
    after, before = (store.arrays(p.cell.address)["tune_loss"].mean() for p in (search, nothing))
    assert after < 0.6 * before
    manifest = store.manifest(search.cell.address)
    assert manifest is not None
    assert manifest.calls == {"evaluations": 24, "answers": 24 * 10 + 70}
    assert store.search(nothing.cell.address)["losses"].shape == (1, 10)
    assert len(judged(marks)) == 24 + 1 + 2 * 2  # a report of 70 items is two shards


def test_a_larger_budget_extends_the_run_and_a_second_run_asks_nothing(store: Store, marks: Path) -> None:
    short, long = cell(budget=12, horizon=24), cell(budget=24, horizon=24)
    run(store, short)
    before = sum("tune" in line for line in judged(marks))
    run(store, long)
    assert before == 12
    assert sum("tune" in line for line in judged(marks)) == 24
    np.testing.assert_array_equal(
        store.search(short.cell.address)["points"], store.search(long.cell.address)["points"][:12]
    )
    seen = len(judged(marks))
    run(store, long)
    assert len(judged(marks)) == seen


def test_another_report_split_asks_nothing_again_and_another_tune_split_does(store: Store, marks: Path) -> None:
    run(store, cell(budget=6), cell(budget=6, task={"count": 90}))
    assert sum("tune" in line for line in judged(marks)) == 6
    run(store, cell(budget=6, task={"tune": 11}))
    assert sum("tune" in line for line in judged(marks)) == 12


def test_what_an_earlier_run_paid_is_in_the_seconds(store: Store, marks: Path) -> None:
    task = {"pause_s": 0.02}
    short, long = cell(budget=12, horizon=13, task=task), cell(budget=13, task=task)
    run(store, short, long)
    manifest = store.manifest(long.cell.address)
    assert manifest is not None
    assert manifest.seconds["search"] >= 12 * 0.02


@pytest.mark.parametrize("at_once", [2, 4])
def test_evaluations_at_once_change_no_byte(store: Store, marks: Path, tmp_path: Path, at_once: int) -> None:
    planned = cell(parallel=4)
    run(store, planned)
    other = Store(tmp_path / "other")
    run(other, planned, at_once=at_once)
    assert contents(other) == contents(store)


def test_an_edit_learns_from_the_tune_items_only(store: Store, marks: Path) -> None:
    planned = cell("toy_edit")
    run(store, planned)
    manifest = store.manifest(planned.cell.address)
    assert manifest is not None
    assert manifest.calls["gradient"] == 10
    assert store.search(planned.cell.address) == {}
    assert store.arrays(planned.cell.address)["tune_loss"].mean() < 1e-3


def test_losses_outside_their_range_fail_the_cell(store: Store, marks: Path, weights: Path) -> None:
    (weights / "wrong.judge.yaml").write_text("judge: toy-judge\nwrong: true\n")
    planned = cell(task={"judge": "wrong"})
    record = execute([planned], store, device="cpu", executor="inline")
    (status,) = record.statuses.values()
    assert "outside [0, 1]" in status.reason


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("HARNESS_WEIGHTS", str(folder))
    return folder


def test_killed_in_mid_search_it_goes_on_at_the_last_evaluation(
    store: Store, marks: Path, toys: Path, tmp_path: Path
) -> None:
    planned = cell(budget=20, task={"pause_s": 0.05})
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps([planned.cell.spec()]))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(toys), os.getcwd()])}
    command = [sys.executable, "-m", "toys", str(store.root), str(plan), "1", "inline"]

    def stored() -> int:
        return len(list(store.root.glob("evaluations/*/*.npz")))

    for least in (4, 11):
        driver = subprocess.Popen(command, env=environment)
        _until(lambda least=least: stored() >= least)
        driver.kill()
        driver.wait()
    kept = stored()
    assert 11 <= kept < 20
    assert store.manifest(planned.cell.address) is None
    asked = sum("tune" in line for line in judged(marks))
    run(store, planned)
    assert sum("tune" in line for line in judged(marks)) == asked + 20 - kept
    undisturbed = Store(tmp_path / "undisturbed")
    run(undisturbed, planned)
    assert contents(store) == contents(undisturbed)


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
