"""What every benchmark shares: its row, timing in alternation, the peak of memory, and the number of threads.

A benchmark is a file of this folder with `def run() -> list[Row]`; the name of the file is its name on the command
line. It measures ours and the peer in turn within one run, on the same inputs and threads, so that the ratio is the
claim and the seconds belong to the machine.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Row:
    """One comparison.

    ours_s, peer_s  seconds, the least over repetitions (other work on the machine only ever adds to it); None where
                    that side could not be measured
    peer            what ours is compared with; None where there is none
    goal            what was asked, in words;  met  None where it could not be decided, and `note` says why
    equal_to        largest difference found between the two values (`note` or the goal says in which unit), None
                    where there is nothing to compare
    """

    name: str
    ours_s: float | None
    peer: str | None
    peer_s: float | None
    goal: str
    met: bool | None
    equal_to: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Seconds of the peer for a second of ours: above 1, ours is faster."""
        return self.peer_s / self.ours_s if self.ours_s and self.peer_s is not None else None

    def plain(self) -> dict[str, Any]:
        """The row as JSON values."""
        return {
            "name": self.name,
            "ours_s": self.ours_s,
            "peer": self.peer,
            "peer_s": self.peer_s,
            "ratio": self.ratio,
            "goal": self.goal,
            "met": self.met,
            "equal_to": self.equal_to,
            "note": self.note,
        }


def cannot(name: str, goal: str, reason: str, peer: str | None = None) -> Row:
    """The row of a comparison that this machine cannot make: a missing peer, a missing GPU."""
    return Row(name, None, peer, None, goal, None, None, reason)


@dataclass(frozen=True)
class Timed:
    """seconds: of each repetition; value: what the last call returned."""

    seconds: tuple[float, ...]
    value: Any

    @property
    def best(self) -> float:
        return min(self.seconds)


def alternate(calls: Mapping[str, Callable[[], Any]], *, repeat: int = 3, warm: int = 0) -> dict[str, Timed]:
    """Every call `repeat` times, in turn and every other round backwards, after `warm` rounds that do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    value: dict[str, Any] = {}
    for turn in range(warm + repeat):
        for name in list(calls) if turn % 2 == 0 else reversed(list(calls)):
            began = time.perf_counter()
            value[name] = calls[name]()
            spent = time.perf_counter() - began
            if turn >= warm:
                seconds[name].append(spent)
    return {name: Timed(tuple(seconds[name]), value[name]) for name in calls}


def peak_extra_mb(call: Callable[[], Any], period_s: float = 0.005) -> float:
    """Resident memory that a call adds to what was there before it, at its peak, in MB (1e6 bytes).

    By the kernel's own high-water mark where it can be reset, else by looking every `period_s`. What the allocator kept
    from earlier calls counts as there before, so measure in the first call. Raises OSError where there is no /proc.
    """
    before = _resident("VmRSS")
    try:
        Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
        call()
        return max(0.0, (_resident("VmHWM") - before) / 1e6)
    except PermissionError:
        pass
    done, highest = threading.Event(), [before]

    def look() -> None:
        while not done.wait(period_s):
            highest[0] = max(highest[0], _resident("VmRSS"))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        call()
    finally:
        done.set()
        watcher.join()
    return max(0.0, (highest[0] - before) / 1e6)


def _resident(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def hold_threads(count: int | None) -> int:
    """Give every library the same number of threads and return it; before numpy or torch is imported.

    None takes OMP_NUM_THREADS, or the cores that this process may use. It is then kept on that many cores, for the sake
    of peers that start threads of their own whatever they are told (prdc).
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    threads = min(count or int(os.environ.get("OMP_NUM_THREADS") or len(cores)), len(cores))
    for name in THREADS:
        os.environ[name] = str(threads)
    if threads < len(cores) and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores[-threads:])
    return threads
