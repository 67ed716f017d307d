"""The harness' side of running programs: starts jailed servers, deals the programs out, runs timeouts once more alone.

Guaranteed on every Linux: a program cannot outlive its test, use more memory, CPU time, output or processes than its
limits, open a file outside its folder, read the harness' environment or reach a network through the interpreter: an
audit hook refuses, hard limits hold, and the process group is killed. Where the kernel has them, a network namespace, a
Landlock ruleset and, for a harness run by root, an unprivileged user hold too against a program that corrupts its own
interpreter. Without them such a program could do what the harness' user can: run models you do not trust in a
container. What a program prints or sends is never a verdict: the expected values are not in its process.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
JAIL, SERVER = HERE / "jail.py", HERE / "server.py"
# -I would also ignore the fixed hash seed; with an environment of our own, these are the rest of it
FLAGS = ("-s", "-S", "-P", "-B")
ENVIRONMENT = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONUTF8": "1"}
TIMEOUTS = ("timeout", "wall")


@dataclass(frozen=True)
class Limits:
    """What one test may use. cpu_s, wall_s seconds; memory_mb address space; output_kb of the returned value's JSON."""

    cpu_s: float = 0.5
    wall_s: float = 5.0
    memory_mb: int = 512
    output_kb: int = 256


@dataclass(frozen=True)
class Job:
    """One program and its tests: JSON text, a list of the arguments of each."""

    program: str
    entry: str
    tests: str


@dataclass(frozen=True)
class Answer:
    """(kind, text) of each test; `again`: whether a timeout was run a second time, alone."""

    results: tuple[tuple[str, str], ...]
    again: bool = False


class Server:
    """One jailed server process with its own folder; a context manager."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def __enter__(self) -> Server:
        self._home = tempfile.TemporaryDirectory(prefix="harness-programs-", ignore_cleanup_errors=True)
        os.chmod(self._home.name, 0o711)  # an unprivileged test may walk through, and not look around
        self._start()
        return self

    def _start(self) -> None:
        tail = [self._home.name, str(self.limits.wall_s), str(self.limits.memory_mb), str(self.limits.output_kb)]
        script = (
            [str(JAIL), self._home.name, str(SERVER), *tail[1:]] if sys.platform == "linux" else [str(SERVER), *tail]
        )
        self._process = subprocess.Popen(
            [sys.executable, *FLAGS, *script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            cwd=self._home.name,
            process_group=0,
            close_fds=True,
        )
        self.layers: dict[str, bool] = {}
        if sys.platform == "linux":
            assert self._process.stderr is not None
            line = self._process.stderr.readline()
            with contextlib.suppress(ValueError):
                self.layers = json.loads(line)

    def ask(self, job: Job) -> tuple[tuple[str, str], ...]:
        """The results of a job; a server that died is started again, and the job counts as failed."""
        tests = json.loads(job.tests)
        request = {"program": job.program, "entry": job.entry, "tests": tests, "cpu_s": self.limits.cpu_s}
        patience = threading.Timer((self.limits.wall_s + 5) * (len(tests) + 1), self._kill)
        patience.start()
        try:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            return tuple((str(kind), str(text)) for kind, text in json.loads(line))
        except (OSError, ValueError, TypeError):
            self._stop()
            self._start()
            return (("runtime_error", "the program ended its server"),) * len(tests)
        finally:
            patience.cancel()

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _stop(self) -> None:
        self._kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._home.cleanup()


def run(jobs: Sequence[Job], limits: Limits, workers: int = 1) -> list[Answer]:
    """The answer of every job, in their order, the same for any number of workers."""
    answers: list[Answer | None] = [None] * len(jobs)
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(jobs)):
        waiting.put(number)

    def work() -> None:
        with Server(limits) as server, contextlib.suppress(queue.Empty):
            while True:
                number = waiting.get_nowait()
                answers[number] = Answer(server.ask(jobs[number]))

    if jobs:
        threads = [threading.Thread(target=work) for _ in range(min(workers, len(jobs)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = [a for a in answers if a is not None]
    if len(found) != len(jobs):
        raise RuntimeError("a server of programs could not be started")
    slow = [i for i, a in enumerate(found) if any(kind in TIMEOUTS for kind, _ in a.results)]
    if slow:  # perhaps the machine was busy, not the program: once more, alone
        with Server(limits) as server:
            for number in slow:
                found[number] = Answer(server.ask(jobs[number]), again=True)
    return found
