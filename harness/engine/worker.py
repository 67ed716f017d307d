"""The worker: executes one cell and writes everything durable itself, at once.

    python -m harness.engine.worker SPEC.json      one cell by hand
    python -m harness.engine.worker --serve        spec paths on stdin, messages on stdout (harness/engine/process.py)

A shard is in the store as soon as it is done; the manifest comes last. Nothing that a worker returns is a result.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from harness.engine import components, memory, provenance
from harness.engine.backoff import free, is_out_of_memory, with_backoff
from harness.engine.cell import Cell, Part, canonical, digest_of
from harness.engine.leases import Leases
from harness.engine.manifest import Manifest, ShardRecord
from harness.engine.messages import Message, Sink, Word, ignore
from harness.engine.spec import BadSpec, Execution, Spec
from harness.engine.status import CellStatus, State
from harness.engine.store import Store
from harness.methods.method import Method
from harness.tasks.task import RunContext, Shard, Task

QUIET_S = 0.2  # between two messages about progress


class Stopped(Exception):
    """Told to stop between two shards."""


@dataclass
class Workshop:
    """What stays warm between cells: the model opened last, and the flags it was opened under."""

    key: str = ""
    model: Any = None
    flags: Mapping[str, Any] | None = None

    def open(self, part: Part, execution: Execution) -> Any:
        """The loaded model. Raises what the adapter raises."""
        key = canonical(
            [part.name, part.version, part.params, part.content, execution.outside.get("model"), execution.device]
        )
        if key != self.key:
            self.close()
            adapter = components.model_of(part, execution.outside)
            self.model = adapter.open(execution.device)
            self.key = key
        if "torch" in sys.modules:
            from harness.models.determinism import settle

            self.flags = settle(execution.threads)
        return self.model

    def close(self) -> None:
        self.key, self.model = "", None
        free()


def run_cell(
    cell: Cell,
    store: Store,
    execution: Execution,
    *,
    emit: Sink = ignore,
    stop: Callable[[], bool] = lambda: False,
    workshop: Workshop | None = None,
) -> CellStatus:
    """Execute what of a cell is not in the store, and say how it ended. Errors become a status, interrupts pass.

    stop   asked before every shard; true ends the cell as cancelled, with all finished shards kept
    """
    address = cell.address
    try:
        lease = Leases(store.root, execution.heartbeat_s).take(address, execution.executor)
        if lease is None:
            status = CellStatus(State.RUNNING, "another worker holds the lease")
        else:
            with lease:
                status = _guarded(cell, store, execution, emit, stop, workshop or Workshop())
    except OSError as error:
        status = CellStatus(State.FAILED, _reason(error))
    emit(Message(Word.ENDED, address, status=status))
    return status


def _guarded(
    cell: Cell, store: Store, execution: Execution, emit: Sink, stop: Callable[[], bool], workshop: Workshop
) -> CellStatus:
    done = store.cell(cell.address)
    if done is not None:
        return CellStatus(State.OK, flags=done.flags)
    trace = ""
    try:
        store.sweep(cell.address)
        _execute(cell, store, execution, emit, stop, workshop)
        return store.status(cell.address)
    except Stopped:
        return CellStatus(State.CANCELLED, "stopped between two shards; run again to go on")
    except Exception as error:
        state = State.OOM if is_out_of_memory(error) else State.FAILED
        status = CellStatus(state, _reason(error))
        trace = provenance.scrub(traceback.format_exc())
    workshop.close()
    with contextlib.suppress(OSError):  # the disk may be what failed
        store.fail(cell, status, trace)
    return status


def _reason(error: BaseException) -> str:
    """One line, without folders: what failed."""
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}" + (
            f": {Path(error.filename).name}" if error.filename else ""
        )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    known = is_out_of_memory(error) and "out of memory" in text
    return provenance.scrub(text if known else f"{type(error).__name__}: {text}")


def _execute(
    cell: Cell, store: Store, execution: Execution, emit: Sink, stop: Callable[[], bool], workshop: Workshop
) -> None:
    started = time.time()
    memory.reset()
    task = components.task_of(cell, execution.outside)
    method = components.method_of(cell, execution.outside)
    shards, items = task.shards_of(method), task.items()
    there = _usable(store.shards(cell.address), shards)
    progress = _Progress(cell.address, len(items), sum(len(s) for s in shards if s.index in there), emit)
    progress.say(Word.STARTED)
    seconds = {}
    charged: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    if len(there) < len(shards):
        clock = time.perf_counter()
        model = workshop.open(cell.model, execution)
        seconds["load"] = time.perf_counter() - clock
        context = RunContext(
            device=execution.device,
            micro_batch=execution.micro_batch,
            progress=progress.advance,
            charge=lambda kind, count: charged.update({kind: count}),
            image_sets=components.image_sets_of(cell, execution.outside),
            cache=store.derived,
            folder=store.mapped,
            scope=_scope(cell, task, method),
            evaluated=partial(store.derived, kind="evaluations"),
            record=partial(store.put_search, cell.address),
            spend=lambda stage, seconds_: spent.update({stage: seconds_}),
            at_once=execution.at_once,
        )
        clock = time.perf_counter()
        prepared = task.prepare(model, method, cell.seed, context)
        seconds["prepare"] = time.perf_counter() - clock - spent["shared"]
        for shard in shards:
            if shard.index not in there:
                if stop():
                    raise Stopped
                there[shard.index], context = _shard(cell, store, task, model, prepared, shard, context)
                progress.finish(len(shard))
    seconds |= spent
    executed = {
        "executor": execution.executor,
        "device": execution.device,
        "micro_batch": execution.micro_batch,
        "threads": execution.threads,
        "command": list(execution.command),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
    }
    record = provenance.collect(cell, flags=workshop.flags or {}, executed=executed)
    device = execution.device.partition(":")[0]
    manifest = Manifest.compose(cell, device, [there[s.index] for s in shards], seconds, record, charged)
    store.finish(cell.address, manifest)


def _scope(cell: Cell, task: Task, method: Method) -> str:
    """Everything of a cell but what chooses (the method with its own libraries, the seed) and what only reports."""
    others = {k: v for k, v in cell.spec().items() if k not in ("method", "seed")}
    others["libraries"] = {k: v for k, v in cell.libraries.items() if k not in method.libraries}
    others["task"]["params"] = {k: v for k, v in cell.task.params.items() if k not in task.report_only}
    others["task"]["content"] = {k: v for k, v in cell.task.content.items() if k != "report"}
    return digest_of(others)


def _usable(records: Mapping[int, ShardRecord], shards: Sequence[Shard]) -> dict[int, ShardRecord]:
    """Stored shards that cover the same items as the task's."""
    spans = {s.index: (s.start, s.stop) for s in shards}
    return {i: r for i, r in records.items() if spans.get(i) == (r.start, r.stop)}


def _shard(
    cell: Cell, store: Store, task: Task, model: Any, method: Any, shard: Shard, context: RunContext
) -> tuple[ShardRecord, RunContext]:
    """Execute and write one shard; the context has the micro-batch that fitted, for the shards after it."""
    clock = time.perf_counter()
    result, context = with_backoff(lambda c: task.run(model, method, cell.seed, shard, c), context)
    spent = {"run": time.perf_counter() - clock}
    record = store.write_shard(cell.address, shard, result, task.items(), seconds=spent, memory_mb=memory.peak_mb())
    return record, context


@dataclass
class _Progress:
    """Items finished and worked on, told at most every QUIET_S."""

    address: str
    total: int
    finished: float
    emit: Sink
    within: float = 0.0
    said: float = 0.0
    shown: float = 0.0

    def advance(self, items: float) -> None:
        """Items of the shard in flight that are finished so far, fractions for those worked on."""
        self.within = items
        if time.monotonic() - self.said > QUIET_S:
            self.say(Word.ADVANCED)

    def finish(self, items: int) -> None:
        self.finished, self.within = self.finished + items, 0.0
        self.say(Word.ADVANCED)

    def say(self, word: Word) -> None:
        self.said = time.monotonic()
        self.shown = max(self.shown, min(self.finished + self.within, self.total))  # a search counts before any shard
        self.emit(Message(word, self.address, self.shown, self.total))


# --- the process ------------------------------------------------------------------------------------------------------


class _Interrupted(BaseException):
    """A signal that ends the worker now; no handler of ordinary errors may keep it."""


def _interrupt(number: int, _frame: object) -> None:
    raise _Interrupted(signal.Signals(number).name)


def serve() -> int:
    """Cells by spec path from stdin until it closes or says stop; messages on stdout, everything else on stderr."""
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print must not mix with the messages
    stopping = threading.Event()
    specs: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(specs, stopping), name="stdin", daemon=True).start()
    for number in (signal.SIGUSR2, signal.SIGHUP):  # pre-emption and a closed terminal: end after the shard in flight
        signal.signal(number, lambda *_: stopping.set())
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)

    def emit(message: Message) -> None:
        try:
            os.write(out, message.line())
        except OSError:  # the driver is gone
            stopping.set()

    workshop = Workshop()
    try:
        while not stopping.is_set() and (path := specs.get()) is not None:
            spec = Spec.read(Path(path))
            run_cell(spec.cell, spec.store, spec.execution, emit=emit, stop=stopping.is_set, workshop=workshop)
    except _Interrupted:
        return 130
    return 0


def _listen(specs: queue.SimpleQueue[str | None], stopping: threading.Event) -> None:
    """Lines of stdin: {"spec": PATH} or {"stop": true}. Its end means that the driver is gone."""
    rest = b""
    while data := os.read(0, 65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if order.get("stop"):
                stopping.set()
                specs.put(None)
            else:
                specs.put(order["spec"])
    stopping.set()
    specs.put(None)


def main(arguments: Sequence[str]) -> int:
    """0 ok, 1 the cell ended otherwise, 2 bad input, 130 interrupted."""
    if list(arguments) == ["--serve"]:
        return serve()
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m harness.engine.worker SPEC.json | --serve", file=sys.stderr)
        return 2
    try:
        spec = Spec.read(Path(arguments[0]))
    except BadSpec as error:
        print(error, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        execution = replace(spec.execution, command=tuple(provenance.command_line(sys.argv)))
        status = run_cell(spec.cell, spec.store, execution)
    except (KeyboardInterrupt, _Interrupted):
        return 130
    print(f"{spec.cell.address} {status}", file=sys.stderr)
    return 0 if status.is_ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
