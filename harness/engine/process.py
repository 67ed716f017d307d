"""One spawned worker process a slot, kept warm for consecutive cells, replaced after any end that is not ok.

A worker leads its own process group, so a Ctrl-C at the terminal reaches the driver only; it sees one CUDA device, set
before its Python starts; when the driver dies its stdin closes and it ends after the shard in flight.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from harness.engine.devices import pinned
from harness.engine.executor import Resources
from harness.engine.messages import Message, Sink, Word
from harness.engine.provenance import scrub
from harness.engine.status import CellStatus, State

GRACE_S = 5.0  # between asking a worker to end and killing it
STOPPED = CellStatus(State.CANCELLED, "stopped before it began; run again to go on")
FINE = (State.OK, State.RUNNING)  # ends after which a worker stays


@dataclass
class _Worker:
    device: str
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    address: str = ""
    rest: bytes = b""
    verdict: CellStatus | None = None  # why it is being killed

    @property
    def out(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def order(self, **words: object) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # a dead worker is noticed by its closed stdout
            os.write(self.process.stdin.fileno(), json.dumps(words).encode() + b"\n")

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            self.process.kill()

    def bury(self) -> None:
        """Wait for the process and close its pipes."""
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.log):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def epitaph(self) -> CellStatus:
        """Why its cell ended without a word of its own."""
        if self.verdict is not None:
            return self.verdict
        code = self.process.wait()
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            hint = " (out of memory?)" if -code == signal.SIGKILL else ""
            text = f"worker killed by {name}{hint}"
        else:
            text = f"worker ended with exit code {code} before the cell did"
        return CellStatus(State.FAILED, f"{text}{self._last_words()}")

    def _last_words(self) -> str:
        self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, self.log.tell() - 2000))
        lines = [line for line in self.log.read().decode(errors="replace").splitlines() if line.strip()]
        return f": {scrub(lines[-1].strip())[:200]}" if lines else ""


@dataclass
class Processes:
    """devices: one worker each; threads: of torch and BLAS in each worker, None leaves them."""

    devices: Sequence[str]
    threads: int | None = None
    _workers: dict[int, _Worker] = field(default_factory=dict)  # by slot
    _ended: deque[Message] = field(default_factory=deque)
    _stopping: bool = False

    def capacity(self) -> Resources:
        return Resources(len(self.devices), tuple(self.devices))

    def submit(self, spec: Path, address: str) -> None:
        if self._stopping:
            self._ended.append(Message(Word.ENDED, address, status=STOPPED))
            return
        slot = next(i for i in range(len(self.devices)) if i not in self._workers or not self._workers[i].address)
        worker = self._workers.get(slot)
        if worker is None or worker.process.poll() is not None:
            if worker is not None:
                worker.bury()
            try:
                worker = self._workers[slot] = self._spawn(self.devices[slot])
            except OSError as error:
                self._workers.pop(slot, None)
                status = CellStatus(State.FAILED, f"no worker could be started: {error.strerror}")
                self._ended.append(Message(Word.ENDED, address, status=status))
                return
        worker.address = address
        worker.order(spec=str(spec.absolute()))

    def _spawn(self, device: str) -> _Worker:
        environment = {**os.environ, **pinned(device, os.environ), "PYTHONPATH": _python_path()}
        environment.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        if self.threads is not None:
            environment.update(OMP_NUM_THREADS=str(self.threads), MKL_NUM_THREADS=str(self.threads))
        log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by bury
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "harness.engine.worker", "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            process_group=0,
            bufsize=0,
        )
        return _Worker(device, process, log)

    def serve(self, timeout_s: float, sink: Sink) -> None:
        while self._ended:
            sink(self._ended.popleft())
            timeout_s = 0.0
        with selectors.DefaultSelector() as selector:
            for slot, worker in self._workers.items():
                selector.register(worker.out, selectors.EVENT_READ, slot)
            if not selector.get_map():
                time.sleep(timeout_s)
                return
            for key, _ in selector.select(timeout_s):
                self._read(key.data, sink)
        for slot in list(self._workers):  # a child of a worker may hold its stdout open
            if self._workers[slot].process.poll() is not None:
                self._read(slot, sink)
                self._lose(slot, sink)

    def _read(self, slot: int, sink: Sink) -> None:
        worker = self._workers.get(slot)
        if worker is None:
            return
        os.set_blocking(worker.out, False)
        try:
            while data := os.read(worker.out, 65536):
                worker.rest += data
        except BlockingIOError:
            data = b"more to come"
        *lines, worker.rest = worker.rest.split(b"\n")
        recycle = False
        for line in lines:
            message = Message.parse(line)
            if message is None or message.address != worker.address:
                continue
            if message.word is Word.ENDED:
                worker.address = ""
                recycle = message.status is None or message.status.state not in FINE
            sink(message)
        if recycle:
            worker.kill()
        if recycle or not data:
            self._lose(slot, sink)

    def _lose(self, slot: int, sink: Sink) -> None:
        """Bury the worker of a slot; its cell, if it had one, ended with it."""
        worker = self._workers.pop(slot, None)
        if worker is None:
            return
        if worker.process.poll() is None:
            worker.kill()
        if worker.address:
            quiet = self._stopping and worker.process.wait() == 0
            sink(Message(Word.ENDED, worker.address, status=STOPPED if quiet else worker.epitaph()))
        worker.bury()

    def cancel(self, address: str, reason: str) -> None:
        for worker in self._workers.values():
            if worker.address == address:
                worker.verdict = CellStatus(State.TIMEOUT, reason)
                worker.kill()

    def stop(self) -> None:
        self._stopping = True
        for worker in self._workers.values():
            worker.order(stop=True)

    def close(self) -> None:
        for worker in self._workers.values():
            if worker.address:
                worker.process.terminate()
            elif worker.process.stdin is not None:
                worker.process.stdin.close()
        deadline = time.monotonic() + GRACE_S
        for worker in self._workers.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            worker.kill()
            worker.bury()
        self._workers.clear()


def _python_path() -> str:
    """Where this process imports from, apart from its installation, so that a worker finds the same modules."""
    installed = {sysconfig.get_path(k) for k in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths = dict.fromkeys(os.path.abspath(p or ".") for p in sys.path)
    return os.pathsep.join(p for p in paths if p not in installed and "lib-dynload" not in p and os.path.isdir(p))
