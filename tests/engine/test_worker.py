"""The worker by hand: one spec file, one status, an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from harness.engine.cell import PlannedCell
from harness.engine.spec import Execution, Spec
from harness.engine.status import State
from harness.engine.store import Store

Make = Callable[..., PlannedCell]


def by_hand(path: Path, toys: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.engine.worker", str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(toys), os.getcwd()])}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_cell_is_executed_by_its_spec_file(store: Store, make: Make, toys: Path) -> None:
    cell = make("push").cell
    done = by_hand(Spec(cell, store, Execution("cpu", 4)).write(), toys)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"{cell.address} ok\n"
    assert store.cell(cell.address) is not None


def test_a_failing_cell_is_exit_code_1_with_its_reason_and_traceback(store: Store, make: Make, toys: Path) -> None:
    cell = make("broken").cell
    done = by_hand(Spec(cell, store, Execution("cpu", 4)).write(), toys)
    assert done.returncode == 1
    assert "failed: ValueError: no luck with item 8" in done.stderr
    assert store.status(cell.address).state is State.FAILED
    assert "in before" in (store.folder(cell.address) / "failure.txt").read_text()


def test_what_is_no_spec_is_exit_code_2(tmp_path: Path, toys: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text('{"cell": {}, "store": ".."}')
    for spec in (path, tmp_path / "absent.json"):
        done = by_hand(spec, toys)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert spec.name in done.stderr


def test_a_store_may_be_moved_with_its_specs(store: Store, make: Make, tmp_path: Path) -> None:
    cell = make("push").cell
    Spec(cell, store, Execution("cpu", 4)).write()
    store.root.rename(tmp_path / "moved")
    (path,) = (tmp_path / "moved" / "specs").iterdir()
    assert Spec.read(path).store.root == tmp_path / "moved"
    assert str(tmp_path) not in path.read_text()
