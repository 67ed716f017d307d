"""Killed drivers and workers, two drivers, stopped workers: resuming gives the same bytes (engine.md section 10)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness import keys
from harness.engine.cell import PlannedCell
from harness.engine.driver import Event, Kind, execute
from harness.engine.leases import Leases
from harness.engine.store import Store

Make = Callable[..., PlannedCell]


def contents(store: Store) -> dict[str, bytes]:
    return {str(p.relative_to(store.root)): p.read_bytes() for p in sorted(store.root.glob("cells/*/*/*.npz"))}


def drive(plan: Sequence[PlannedCell], store: Store, toys: Path, executor: str = "process") -> subprocess.Popen[bytes]:
    path = store.root.parent / "plan.json"
    path.write_text(json.dumps([p.cell.spec() for p in plan]))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(toys), os.getcwd()])}
    return subprocess.Popen([sys.executable, "-m", "toys", str(store.root), str(path), "1", executor], env=environment)


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def moved_on(driver: subprocess.Popen[bytes], store: Store) -> None:
    """Wait for the next shard, or for the end."""
    begun = len(contents(store))
    until(lambda: len(contents(store)) > begun or driver.poll() is not None)


def nobody_works(store: Store) -> bool:
    leases = Leases(store.root)
    return not any(leases.is_live(p.name) for p in (store.root / "leases").glob("*"))


@pytest.fixture
def plan(make: Make) -> list[PlannedCell]:
    return [make("push", seed=s, task={"prompts": 6, "pause_s": 0.01}) for s in (1, 2)]


@pytest.fixture
def undisturbed(plan: list[PlannedCell], tmp_path: Path) -> dict[str, bytes]:
    store = Store(tmp_path / "undisturbed")
    execute(plan, store, device="cpu", executor="inline", micro_batch=2)
    return contents(store)


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_driver_killed_three_times_at_random_moments_leaves_the_same_bytes(
    plan: list[PlannedCell], undisturbed: dict[str, bytes], store: Store, toys: Path, executor: str
) -> None:
    draws = keys.generator(7, "stats", executor)
    for _ in range(3):
        driver = drive(plan, store, toys, executor)
        moved_on(driver, store)
        time.sleep(float(draws.uniform(0, 0.15)))
        driver.kill()
        driver.wait()
    until(lambda: nobody_works(store))  # orphaned workers end after the shard in flight
    assert execute(plan, store, device="cpu", micro_batch=2).exit_code == 0
    assert contents(store) == undisturbed
    assert not list(store.root.glob("cells/*/*/.tmp-*"))


def test_orphaned_workers_end_by_themselves_and_lose_nothing_finished(
    make: Make, store: Store, toys: Path, marks: Path
) -> None:
    plan = [make("push", task={"prompts": 50, "pause_s": 0.02})]
    driver = drive(plan, store, toys)
    until(lambda: len(contents(store)) >= 1)
    driver.kill()
    driver.wait()
    until(lambda: nobody_works(store))
    done = len(contents(store))
    assert done < 50
    assert len(store.shards(plan[0].cell.address)) == done
    calls = (marks / "calls").read_text().splitlines()
    assert len(calls) == 2 * done  # the shard in flight was finished, none was begun after it


def test_two_drivers_on_one_store_do_everything_once(
    plan: list[PlannedCell], undisturbed: dict[str, bytes], store: Store, toys: Path, marks: Path
) -> None:
    store.root.mkdir()
    drivers = [drive(p, store, toys) for p in (plan, plan)]
    assert [d.wait(60) for d in drivers] == [0, 0]
    assert contents(store) == undisturbed
    calls = (marks / "calls").read_text().splitlines()
    assert sorted(calls) == sorted([f"push {i}" for i in range(0, 24, 2)] * 2)
    assert not (store.root / "conflict").exists()


def test_ctrl_c_is_130_and_the_next_execution_goes_on(
    plan: list[PlannedCell], undisturbed: dict[str, bytes], store: Store, toys: Path
) -> None:
    driver = drive(plan, store, toys)
    until(lambda: len(contents(store)) >= 2)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(30) == 130
    assert nobody_works(store)
    assert 2 <= len(contents(store)) < len(undisturbed)
    driver = drive(plan, store, toys)
    assert driver.wait(60) == 0
    assert contents(store) == undisturbed


def test_a_stopped_worker_is_taken_over_and_harms_nothing_when_it_wakes(
    plan: list[PlannedCell], undisturbed: dict[str, bytes], store: Store
) -> None:
    stopped: list[int] = []

    def stop_first(event: Event) -> None:
        """Stop the worker of the first cell from outside, once; the second driver below takes over."""
        if event.kind is Kind.ADVANCED and not stopped and event.planned is not None:
            held = Leases(store.root).held(event.planned.cell.address)
            assert held is not None
            assert held.owner is not None
            stopped.append(held.owner.pid)
            os.kill(held.owner.pid, signal.SIGSTOP)
            record = execute(plan, store, device="cpu", executor="inline", micro_batch=2, heartbeat_s=0.1)
            assert record.exit_code == 0
            assert contents(store) == undisturbed
            os.kill(held.owner.pid, signal.SIGCONT)

    first = execute(plan, store, device="cpu", micro_batch=2, heartbeat_s=0.1, on_event=stop_first)
    assert stopped
    assert first.exit_code == 0
    assert contents(store) == undisturbed
    assert not (store.root / "conflict").exists()
