"""Executing a plan: what runs, what is skipped, what fails, and that nothing of how it runs changes a byte."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.engine.cell import PlannedCell
from harness.engine.driver import Event, Kind, execute
from harness.engine.executor import Resources
from harness.engine.flags import inert
from harness.engine.leases import Leases
from harness.engine.messages import Message, Sink, Word
from harness.engine.spec import Execution
from harness.engine.status import CellStatus, State
from harness.engine.store import Store
from harness.engine.worker import run_cell

Make = Callable[..., PlannedCell]


def contents(store: Store) -> dict[str, bytes]:
    return {str(p.relative_to(store.root)): p.read_bytes() for p in sorted(store.root.glob("cells/*/*/*.npz"))}


def lines(marks: Path, name: str) -> list[str]:
    return (marks / name).read_text().splitlines() if (marks / name).exists() else []


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_second_execution_does_nothing(store: Store, make: Make, marks: Path, executor: Any) -> None:
    plan = [make("push", seed=s) for s in (1, 2)]
    first = execute(plan, store, device="cpu", executor=executor)
    before = lines(marks, "calls")
    second = execute(plan, store, device="cpu", executor=executor)
    assert first.exit_code == second.exit_code == 0, first.statuses
    assert len(first.executed) == 2
    assert second.executed == ()
    assert len(second.cached) == 2
    assert second.statuses == first.statuses
    assert lines(marks, "calls") == before


def test_executors_workers_order_micro_batch_and_shards_made_before_change_no_byte(make: Make, tmp_path: Path) -> None:
    plan = [make("push", seed=s, scale=m) for s in (1, 2, 3) for m in (1.0, 2.0)]
    ways: list[tuple[list[PlannedCell], dict[str, Any]]] = [
        (plan, {"executor": "inline"}),
        (plan, {"workers": 1}),
        (plan[::-1], {"workers": 3}),
        (plan[3:] + plan[:3], {"workers": 2, "micro_batch": 3}),
    ]
    seen = []
    for i, (order, options) in enumerate(ways):
        store = Store(tmp_path / str(i))
        if i == 3:  # a cell that was begun before
            run_cell(plan[0].cell, store, Execution("cpu", 4), stop=iter([False, False, True]).__next__)
        assert execute(order, store, device="cpu", **options).exit_code == 0
        seen.append((contents(store), {p.cell.address: store.content(p.cell.address) for p in plan}))
    assert len(seen[0][0]) == 24
    assert all(s == seen[0] for s in seen[1:])


def test_equal_addresses_are_executed_once_and_equal_models_opened_once(store: Store, make: Make, marks: Path) -> None:
    plan = [make("push", seed=s, scale=m) for s in (1, 2) for m in (1.0, 2.0)]
    execute([*plan, *plan], store, device="cpu", executor="inline", micro_batch=16)
    assert len(lines(marks, "calls")) == 4 * 4
    assert [line.split()[1] for line in lines(marks, "opened")] == ["1.0", "2.0"]


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_failing_cell_stops_no_other_and_is_tried_again(store: Store, make: Make, marks: Path, executor: Any) -> None:
    plan = [make("broken", once=True), make("push"), make("push", seed=2)]
    first = execute(plan, store, device="cpu", executor=executor)
    assert first.exit_code == 1
    states = [first.statuses[p.cell.address].state for p in plan]
    assert states == [State.FAILED, State.OK, State.OK]
    assert first.statuses[plan[0].cell.address].reason.startswith("ValueError: no luck with item 8")
    assert len(store.shards(plan[0].cell.address)) == 2  # those before it failed
    second = execute(plan, store, device="cpu", executor=executor)
    assert second.exit_code == 0
    assert second.executed == (plan[0].cell.address,)
    assert store.failure(plan[0].cell.address) is None


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("SIGKILL", "worker killed by SIGKILL (out of memory?)"),
        ("SIGSEGV", "worker killed by SIGSEGV"),
        ("SIGTERM", "worker ended with exit code 130 before the cell did"),
        ("exit", "worker ended with exit code 0 before the cell did"),
    ],
)
def test_a_worker_that_dies_gives_a_status_and_the_rest_goes_on(
    store: Store, make: Make, how: str, reason: str
) -> None:
    plan = [make("broken", how=how), make("push"), make("push", seed=2)]
    record = execute(plan, store, device="cpu", workers=1)
    status = record.statuses[plan[0].cell.address]
    assert status.state is State.FAILED
    assert status.reason.startswith(reason)
    assert record.exit_code == 1
    assert all(record.statuses[p.cell.address].is_ok for p in plan[1:])
    assert store.status(plan[0].cell.address) == status
    assert len(store.shards(plan[0].cell.address)) == 2


def test_a_cell_beyond_its_time_limit_is_ended(store: Store, make: Make) -> None:
    plan = [make("broken", how="hang"), make("push")]
    record = execute(plan, store, device="cpu", time_limit_s=1.5)
    assert record.statuses[plan[0].cell.address] == CellStatus(State.TIMEOUT, "longer than the time limit of 1.5 s")
    assert record.statuses[plan[1].cell.address].is_ok


def test_what_a_component_prints_does_not_disturb_the_messages(store: Store, make: Make) -> None:
    assert execute([make("broken", how="print")], store, device="cpu").exit_code == 0


def test_out_of_memory_halves_the_micro_batch_and_nothing_else(store: Store, make: Make, tmp_path: Path) -> None:
    cell = make("hungry", fits=2)
    assert execute([cell], store, device="cpu", micro_batch=16, executor="inline").exit_code == 0
    stored = store.cell(cell.cell.address)
    assert stored is not None
    assert (stored.manifest.micro_batch, stored.manifest.tries, stored.manifest.items) == (2, 3, 16)
    roomy = Store(tmp_path / "roomy")
    execute([cell], roomy, device="cpu", micro_batch=2, executor="inline")
    assert contents(roomy) == contents(store)
    hopeless = make("hungry", fits=0)
    status = execute([hopeless], store, device="cpu", micro_batch=4, executor="inline").statuses[hopeless.cell.address]
    assert status == CellStatus(State.OOM, "out of memory at micro-batch 4, 2, 1")


def test_the_failure_budget_ends_a_hopeless_plan(store: Store, make: Make) -> None:
    plan = [make("broken", seed=s) for s in range(8)]
    record = execute(plan, store, device="cpu", executor="inline")
    states = [s.state for s in record.statuses.values()]
    assert states.count(State.FAILED) == 4
    assert states.count(State.SKIPPED) == 4
    assert record.exit_code == 1


@pytest.mark.parametrize("executor", ["inline", "process"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_interrupt_finishes_the_shard_in_flight(
    store: Store, make: Make, marks: Path, executor: Any, number: int
) -> None:
    plan = [make("push", task={"pause_s": 0.02}), make("push", seed=2)]
    before = signal.getsignal(number)
    kinds = []

    def listen(event: Event) -> None:
        kinds.append(event.kind)
        if event.kind is Kind.ADVANCED and Kind.STOPPING not in kinds and kinds.count(Kind.ADVANCED) == 1:
            os.kill(os.getpid(), number)

    record = execute(plan, store, device="cpu", executor=executor, micro_batch=4, on_event=listen)
    assert record.interrupted
    assert record.exit_code == 130
    assert signal.getsignal(number) is before
    first, second = (record.statuses[p.cell.address].state for p in plan)
    assert (first, second) == (State.CANCELLED, State.NOT_RUN)
    done = len(store.shards(plan[0].cell.address))
    assert 1 <= done < 4
    assert len(lines(marks, "calls")) == done  # nothing was begun in vain
    assert not list((store.root / "leases").iterdir())
    again = execute(plan, store, device="cpu", executor=executor, micro_batch=4)
    assert again.exit_code == 0
    assert len(lines(marks, "calls")) == 8


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_the_second_interrupt_ends_at_once(store: Store, make: Make, executor: Any) -> None:
    plan = [make("broken", how="hang", at=4)]
    sent = []

    def press() -> None:
        time.sleep(0.3)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    def listen(event: Event) -> None:
        if event.kind is Kind.ADVANCED and not sent:
            sent.append(0.0)
            threading.Thread(target=press).start()

    record = execute(plan, store, device="cpu", executor=executor, micro_batch=4, on_event=listen)
    assert time.monotonic() - sent[-1] < 20
    assert record.exit_code == 130
    assert len(store.shards(plan[0].cell.address)) == 1
    assert not list((store.root / "leases").iterdir())


class Liar:
    """Says the opposite of what happened."""

    def __init__(self, store: Store) -> None:
        self.store, self.said = store, 0
        self.specs: list[tuple[Path, str]] = []

    def capacity(self) -> Resources:
        return Resources(2, ("cpu",))

    def submit(self, spec: Path, address: str) -> None:
        self.specs.append((spec, address))

    def serve(self, timeout_s: float, sink: Sink) -> None:
        from harness.engine.spec import Spec

        for path, address in self.specs:
            spec = Spec.read(path)
            if spec.cell.seed == 1:
                sink(Message(Word.ENDED, address, status=CellStatus(State.OK)))
            else:
                run_cell(spec.cell, spec.store, spec.execution)
                sink(Message(Word.ENDED, address, status=CellStatus(State.FAILED, "a lie")))
            sink(Message(Word.ENDED, address, status=CellStatus(State.OK)))
        self.specs = []

    def cancel(self, address: str, reason: str) -> None: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


def test_the_store_decides_whatever_an_executor_says(store: Store, make: Make) -> None:
    plan = [make("push", seed=1), make("push", seed=2)]
    record = execute(plan, store, device="cpu", executor=Liar(store))
    assert [s.state for s in record.statuses.values()] == [State.FAILED, State.OK]


def test_a_cell_of_another_driver_is_waited_for(store: Store, make: Make) -> None:
    plan = [make("push"), make("push", seed=2)]
    address = plan[0].cell.address
    lease = Leases(store.root).take(address, "x")
    assert lease is not None
    events: list[tuple[Kind, str]] = []

    def listen(event: Event) -> None:
        assert event.planned is not None
        events.append((event.kind, event.planned.cell.address))
        if event.kind is Kind.ENDED and event.planned.cell.seed == 2:
            lease.release()

    assert execute(plan, store, device="cpu", executor="inline", on_event=listen).exit_code == 0
    assert events[0] == (Kind.WAITING, address)
    assert events[-1] == (Kind.ENDED, address)


def test_a_read_only_store_is_a_status_and_no_crash(store: Store, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, data: bytes, **options: bool) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    for module in ("files", "store", "spec"):
        monkeypatch.setattr(f"harness.engine.{module}.write_bytes", refuse)
    record = execute([make("push")], store, device="cpu", executor="inline")
    (status,) = record.statuses.values()
    assert status.state is State.FAILED
    assert "Permission denied" in status.reason


def test_an_unknown_component_is_a_status(store: Store, make: Make) -> None:
    good = make("push").cell
    bad = [
        PlannedCell(replace(good, method=replace(good.method, name="pusch")), "x", "method"),
        PlannedCell(replace(good, method=replace(good.method, version=2)), "x", "method"),
        PlannedCell(replace(good, model=replace(good.model, content={"toy.safetensors": "bb"})), "x", "method"),
    ]
    reasons = [s.reason for s in execute(bad, store, device="cpu", executor="inline").statuses.values()]
    assert reasons[0] == "UnknownName: unknown method 'pusch'; did you mean 'push'?"
    assert reasons[1] == "Outdated: method push has version 3; the spec was made for version 2; plan the suite again"
    assert reasons[2].startswith("Outdated: toy.safetensors of model toy_model changed (bb… → aaaa…)")


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_path_reaches_the_component_and_no_address_or_manifest(
    store: Store, make: Make, marks: Path, tmp_path: Path, executor: Any
) -> None:
    plain = make("push")
    placed = replace(plain, outside={"model": {"path": str(tmp_path)}})
    assert execute([placed], store, device="cpu", executor=executor).exit_code == 0
    assert lines(marks, "opened")[0].split()[1:] == ["1.0", str(tmp_path)]
    assert execute([plain], store, device="cpu", executor=executor).executed == ()
    assert str(tmp_path) not in (store.folder(plain.cell.address) / "manifest.json").read_text()


def test_an_intervention_that_changed_nothing_is_inert(store: Store, make: Make) -> None:
    plan = [make(n) for n in ("toy_nothing", "asleep", "push")]
    execute(plan, store, device="cpu", executor="inline")
    found = inert([p.cell for p in plan], store, frozenset({"toy_nothing"}))
    assert found == {plan[1].cell.address}


def test_time_left_is_told_once_something_is_known(store: Store, make: Make) -> None:
    events: list[Event] = []
    plan = [make("push", seed=s, task={"pause_s": 0.01}) for s in (1, 2)]
    execute(plan, store, device="cpu", executor="inline", on_event=events.append)
    assert events[0].kind is Kind.STARTED
    ends = [e for e in events if e.kind is Kind.ENDED]
    assert [(e.done, e.total) for e in ends] == [(16, 16), (16, 16)]
    assert ends[0].remaining_s == pytest.approx(0.16, rel=0.8)
    assert ends[1].remaining_s == 0
