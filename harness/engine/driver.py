"""The driver: which cells of a plan are missing, in which order they go to the executor, and what became of each.

Executing is always resuming: finished cells are known by their manifest, finished shards by theirs, failed cells are
tried again. The driver imports no torch when nothing is missing, and believes the store rather than the executor.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from harness.engine.cell import PlannedCell, canonical
from harness.engine.devices import slots, threads_each
from harness.engine.estimate import Estimator, items
from harness.engine.executor import Executor
from harness.engine.flags import inert
from harness.engine.leases import PERIOD_S, Leases
from harness.engine.messages import Message, Word
from harness.engine.spec import Execution, Spec
from harness.engine.status import INERT, CellStatus, State
from harness.engine.store import Store

POLL_S = 0.25
MICRO_BATCH = 64
LEAST_FAILURES = 3  # a failure budget in shares would stop a small suite at its first failure


class Kind(StrEnum):
    STARTED = "started"
    ADVANCED = "advanced"
    ENDED = "ended"
    WAITING = "waiting"  # another driver works on it
    STOPPING = "stopping"  # first Ctrl-C: the shards in flight are being finished


@dataclass(frozen=True)
class Event:
    """What a progress display needs.

    planned      the cell, as it stands in the suite; None for STOPPING
    done, total  items of the cell, fractions for those worked on
    remaining_s  of the whole plan; None while nothing is known
    """

    kind: Kind
    planned: PlannedCell | None = None
    done: float = 0.0
    total: int = 0
    status: CellStatus | None = None
    remaining_s: float | None = None


@dataclass(frozen=True)
class RunRecord:
    """What became of every cell of the plan, by address.

    executed, cached   addresses that were worked on now; that were finished before
    """

    statuses: dict[str, CellStatus]
    executed: tuple[str, ...]
    cached: tuple[str, ...]
    interrupted: bool
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 all cells ok, 1 one is not, 130 interrupted."""
        if self.interrupted:
            return 130
        return 0 if all(s.is_ok for s in self.statuses.values()) else 1


def execute(
    planned: Sequence[PlannedCell],
    store: Store,
    *,
    device: str = "auto",
    workers: int = 0,
    micro_batch: int = MICRO_BATCH,
    threads: int | None = None,
    at_once: int = 1,
    executor: Literal["process", "inline"] | Executor = "process",
    on_event: Callable[[Event], None] | None = None,
    time_limit_s: float | None = None,
    failure_budget: float = 0.1,
    command: Sequence[str] = (),
    heartbeat_s: float = PERIOD_S,
) -> RunRecord:
    """Execute what of a plan is not in the store.

    device          auto | cpu | cuda | cuda:N;  workers  processes, 0: one a device
    micro_batch     items a network call, at most;  threads  of torch in each worker, None: cores by workers
    at_once         evaluations of a search at the same time, in each worker
    time_limit_s    of one cell
    failure_budget  share of cells that may fail before the rest is not begun (never below LEAST_FAILURES cells)
    Raises NoSuchDevice.
    """
    began = time.monotonic()
    cells: dict[str, PlannedCell] = {}
    for p in planned:
        cells.setdefault(p.cell.address, p)  # the first of equal addresses gives the name
    cached = tuple(a for a in cells if store.cell(a) is not None)
    missing = [a for a in cells if a not in set(cached)]
    driving: _Driving | None = None
    if missing:
        places = slots(device, workers)
        running, execution = _executor(executor, places, micro_batch, threads)
        execution = replace(execution, command=_command(command), heartbeat_s=heartbeat_s, at_once=at_once)
        driving = _Driving(
            store=store,
            cells=cells,
            pending=_ordered([cells[a] for a in missing]),
            executor=running,
            execution=execution,
            tell=on_event or _unheard,
            time_limit_s=time_limit_s,
            allowed=max(LEAST_FAILURES, round(failure_budget * len(cells))),
            estimator=Estimator.of(store, execution.device),
            leases=Leases(store.root, heartbeat_s),
        )
        driving.drive()
    statuses = {a: _status(a, store, driving) for a in cells}
    for address in inert([p.cell for p in cells.values()], store):
        known = statuses[address]
        statuses[address] = CellStatus(known.state, known.reason, known.flags | {INERT})
    return RunRecord(
        statuses=statuses,
        executed=tuple(driving.ended) if driving else (),
        cached=cached,
        interrupted=driving is not None and driving.interrupted,
        seconds=time.monotonic() - began,
    )


def _unheard(_event: Event) -> None:
    """A listener for nobody."""


def _executor(
    wanted: Literal["process", "inline"] | Executor, places: Sequence[str], micro_batch: int, threads: int | None
) -> tuple[Executor, Execution]:
    if wanted == "inline":
        from harness.engine.inline import Inline

        device = places[0]
        return Inline(device), Execution(device, micro_batch, threads, "inline")
    device = places[0].partition(":")[0]  # a worker sees its own device only
    threads = threads or threads_each(len(places))
    if wanted == "process":
        from harness.engine.process import Processes

        return Processes(places, threads), Execution(device, micro_batch, threads, "process")
    return wanted, Execution(device, micro_batch, threads, type(wanted).__name__.lower())


def _command(command: Sequence[str]) -> tuple[str, ...]:
    from harness.engine.provenance import command_line

    return tuple(command_line(command or sys.argv))


def _ordered(planned: Sequence[PlannedCell]) -> list[str]:
    """Addresses with equal models, and within them equal methods, side by side; otherwise as planned."""
    models = {canonical(vars(p.cell.model)): 0 for p in planned}
    methods = {(canonical(vars(p.cell.model)), p.cell.method.name): 0 for p in planned}
    first = {key: i for i, key in enumerate([*models, *methods])}

    def place(p: PlannedCell) -> tuple[int, int]:
        model = canonical(vars(p.cell.model))
        return first[model], first[model, p.cell.method.name]

    return [p.cell.address for p in sorted(planned, key=place)]


def _status(address: str, store: Store, driving: _Driving | None) -> CellStatus:
    """The word of this run where it has one (a full disk may have kept it out of the store), else the store's."""
    stored = store.status(address)
    if stored.is_ok or driving is None:
        return stored
    return driving.ended.get(address) or driving.skipped.get(address) or stored


@dataclass
class _Driving:
    store: Store
    cells: dict[str, PlannedCell]
    pending: list[str]
    executor: Executor
    execution: Execution
    tell: Callable[[Event], None]
    time_limit_s: float | None
    allowed: int
    estimator: Estimator
    leases: Leases
    waiting: list[str] = field(default_factory=list)
    running: dict[str, float] = field(default_factory=dict)  # address → since when
    begun: set[str] = field(default_factory=set)  # of those running: a worker has them
    done: dict[str, float] = field(default_factory=dict)  # address → items
    ended: dict[str, CellStatus] = field(default_factory=dict)
    skipped: dict[str, CellStatus] = field(default_factory=dict)
    interrupted: bool = False
    told_stopping: bool = False
    forecast: tuple[float | None, float] = (None, 0.0)  # seconds left as last worked out; until when they stand

    def drive(self) -> None:
        try:
            with self._signals():
                while self.running or (not self.interrupted and (self.pending or self.waiting)):
                    if not self.interrupted:
                        self._visit_waiting()
                        self._fill()
                    elif not self.told_stopping:
                        self.told_stopping = True
                        self.tell(Event(Kind.STOPPING))
                    self.executor.serve(POLL_S, self._hear)
                    self._check_time()
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            self.executor.close()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """First Ctrl-C or SIGTERM: begin no shard any more. Second: KeyboardInterrupt."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(_number: int, _frame: object) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True
            self.executor.stop()

        before = {n: signal.signal(n, handle) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _visit_waiting(self) -> None:
        """Cells that other drivers had: finished there, or free again."""
        for address in list(self.waiting):
            stored = self.store.cell(address)
            if stored is not None:
                self.waiting.remove(address)
                self._tell(Kind.ENDED, address, CellStatus(State.OK, flags=stored.flags))
            elif self.leases.freed(address):
                self.waiting.remove(address)
                self.pending.append(address)

    def _fill(self) -> None:
        while self.pending and len(self.running) < self.executor.capacity().slots and not self.interrupted:
            address = self.pending.pop(0)
            if not self.leases.freed(address):
                self._wait(address)
            elif self.store.cell(address) is not None:  # by another driver since
                self._tell(Kind.ENDED, address, self.store.status(address))
            else:
                self._submit(address)

    def _wait(self, address: str) -> None:
        self.waiting.append(address)
        self._tell(Kind.WAITING, address, CellStatus(State.RUNNING, "another driver holds the lease"))

    def _submit(self, address: str) -> None:
        try:
            planned = self.cells[address]
            execution = replace(self.execution, outside=planned.outside)
            path = Spec(planned.cell, self.store, execution).write()
        except OSError as error:
            self._end(address, CellStatus(State.FAILED, f"the spec cannot be written: {error.strerror}"))
            return
        self.running[address] = time.monotonic()
        self.executor.submit(path, address)

    def _hear(self, message: Message) -> None:
        address = message.address
        if address not in self.running:
            return
        if message.word is Word.ENDED:
            del self.running[address]
            status = message.status or CellStatus(State.FAILED, "the executor gave no status")
            if status.state is State.RUNNING:
                self._wait(address)
            else:
                self._end(address, status)
        else:
            if message.word is Word.STARTED:
                self.running[address] = time.monotonic()
                self.begun.add(address)
            self.done[address] = message.done
            kind = Kind.STARTED if message.word is Word.STARTED else Kind.ADVANCED
            event = Event(kind, self.cells[address], message.done, message.total, None, self._remaining_s())
            self.tell(event)

    def _end(self, address: str, said: CellStatus) -> None:
        """The store decides whether a cell is done; a worker that died could not write why."""
        stored = self.store.cell(address)
        if stored is not None:
            status = CellStatus(State.OK, flags=stored.flags)
            self.estimator.learn(stored.manifest)
        elif said.is_ok:
            status = CellStatus(State.FAILED, "the executor said ok, but the cell is not in the store")
        else:
            status = said
        if status.state in (State.FAILED, State.OOM, State.TIMEOUT):
            known = self.store.failure(address)
            if known is None or known.status != status:
                with contextlib.suppress(OSError):
                    self.store.fail(self.cells[address].cell, status)
        self.ended[address] = status
        self._tell(Kind.ENDED, address, status)
        self._check_budget()

    def _tell(self, kind: Kind, address: str, status: CellStatus) -> None:
        total = items(self.cells[address].cell, self.cells[address].outside)
        done = float(total) if status.is_ok else self.done.get(address, 0.0)
        self.tell(Event(kind, self.cells[address], done, total, status, self._remaining_s()))

    def _check_budget(self) -> None:
        failed = sum(s.state in (State.FAILED, State.OOM, State.TIMEOUT) for s in self.ended.values())
        if failed > self.allowed:
            rule = CellStatus(State.SKIPPED, f"failure budget: {failed} of {len(self.cells)} cells failed")
            for address in [*self.pending, *self.waiting]:
                self.skipped[address] = rule
            self.pending, self.waiting = [], []

    def _check_time(self) -> None:
        if self.time_limit_s is None:
            return
        for address, since in list(self.running.items()):
            if address in self.begun and time.monotonic() - since > self.time_limit_s:
                self.executor.cancel(address, f"longer than the time limit of {self.time_limit_s:g} s")

    def _remaining_s(self) -> float | None:
        """Work left, worked out anew for each event unless the plan is so long that this would take a share of it."""
        began = time.monotonic()
        if began >= self.forecast[1]:
            left, ended = self._forecast_s(), time.monotonic()
            spent = ended - began
            self.forecast = (left, ended + (50.0 * spent if spent > 0.002 else 0.0))
        return self.forecast[0]

    def _forecast_s(self) -> float | None:
        """Work left by the estimates, shared by the slots; cells without an estimate take this run's mean rate."""
        now, rest, unknown = time.monotonic(), 0.0, 0.0
        elapsed, worked = 0.0, 0.0
        for address in [*self.running, *self.pending, *self.waiting]:
            cell, total = self.cells[address].cell, items(self.cells[address].cell, self.cells[address].outside)
            left = total - self.done.get(address, 0.0)
            if (seconds := self.estimator.estimate(cell).seconds) is not None:
                rest += seconds * left / max(1, total)
            else:
                unknown += left
            if address in self.running:
                elapsed += now - self.running[address]
                worked += self.done.get(address, 0.0)
        if unknown:
            if worked <= 0:
                return None
            rest += unknown * elapsed / worked
        busy = len(self.running) + len(self.pending) + len(self.waiting)
        return rest / max(1, min(self.executor.capacity().slots, busy))
