"""Leases: who works on which cell, so that two drivers on one store do not do the same work while both live.

A lease is a file made exclusively, holding its owner and a counter that the owner rewrites in place every period. It is
stale when boot id and pid show that the owner is gone, or when the counter did not change over six periods by the
reader's own monotonic clock; clocks of two machines are never compared. A stale lease is taken over by a rename, which
only one taker wins. A lost lease costs duplicated work, never a wrong result: writes may be repeated.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType

PERIOD_S = 10.0
OBSERVATIONS = 6
_DIGITS = 12


@dataclass(frozen=True)
class Owner:
    """token: of this lease alone; host: hashed; boot: boot id and pid namespace, "" where unknown."""

    token: str
    host: str
    boot: str
    pid: int
    born: str  # start time of the process, in the kernel's ticks
    executor: str

    @classmethod
    def of_this_process(cls, executor: str) -> Owner:
        return cls(secrets.token_hex(8), host(), _boot(), os.getpid(), _born(os.getpid()), executor)

    @property
    def is_gone(self) -> bool:
        """Whether the owner ran on this boot and its process is no longer there."""
        return bool(self.boot) and self.boot == _boot() and _born(self.pid) != self.born


@dataclass(frozen=True)
class Held:
    """What a reader sees of a lease. owner None: unreadable."""

    owner: Owner | None
    counter: str

    @property
    def token(self) -> str:
        return self.owner.token if self.owner else ""


@dataclass
class Leases:
    """The leases of a store, seen by one reader, who remembers when it saw each counter change."""

    root: Path
    period_s: float = PERIOD_S
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[Held, float]] = field(default_factory=dict)

    def path(self, address: str) -> Path:
        return self.root / "leases" / address

    def held(self, address: str) -> Held | None:
        """The lease on a cell, or None when nobody has one. Reading it is an observation."""
        found = _read(self.path(address))
        if found is None:
            self._seen.pop(address, None)
        elif address not in self._seen or self._seen[address][0] != found:
            self._seen[address] = (found, self.clock())
        return found

    def age_s(self, address: str) -> float:
        """Seconds since this reader saw the counter of a lease change."""
        return self.clock() - self._seen[address][1] if address in self._seen else 0.0

    def is_stale(self, address: str) -> bool:
        """Whether a lease is there whose owner is gone or stopped counting."""
        found = self.held(address)
        if found is None:
            return False
        if found.owner is not None and found.owner.is_gone:
            return True
        return self.age_s(address) > OBSERVATIONS * self.period_s

    def is_live(self, address: str) -> bool:
        """Whether somebody works on the cell as far as this reader can tell."""
        return self.held(address) is not None and not self.is_stale(address)

    def freed(self, address: str) -> bool:
        """Whether the cell is nobody's now, after a stale lease was taken away."""
        return self.held(address) is None or (self.is_stale(address) and self._clear(address))

    def take(self, address: str, executor: str) -> Lease | None:
        """A lease on the cell for this process, or None when another owner lives. Raises OSError."""
        path = self.path(address)
        path.parent.mkdir(parents=True, exist_ok=True)
        owner = Owner.of_this_process(executor)
        for _ in range(2):
            if _create(path, _line(owner) + _count(0)):
                return Lease(path, owner, self.period_s)
            if not self.freed(address):
                return None
        return None

    def _clear(self, address: str) -> bool:
        """Move a stale lease away. False when another taker was first or its owner came back."""
        path, stale = self.path(address), self._seen[address][0]
        aside = path.with_name(f"{address}.taken-{os.getpid()}-{secrets.token_hex(4)}")
        try:
            os.rename(path, aside)
        except FileNotFoundError:
            return False
        moved = _read(aside)
        if moved is not None and moved.token != stale.token:  # a live one came in between: give it back
            with contextlib.suppress(OSError):
                os.link(aside, path)
            aside.unlink(missing_ok=True)
            return False
        aside.unlink(missing_ok=True)
        return True


@dataclass
class Lease:
    """A lease that this process holds; as a context manager it keeps counting and releases at the end."""

    path: Path
    owner: Owner
    period_s: float
    is_lost: bool = False
    _done: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Lease:
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()
        found = _read(self.path)
        if found is not None and found.token == self.owner.token:
            self.path.unlink(missing_ok=True)

    def _keep(self) -> None:
        counter = 0
        while not self._done.wait(self.period_s):
            counter += 1
            found = _read(self.path)
            if found is None or found.token != self.owner.token:
                self.is_lost = True
                return
            with contextlib.suppress(OSError):  # a full disk must not end the work; a reader may take over
                self._write(counter)

    def _write(self, counter: int) -> None:
        descriptor = os.open(self.path, os.O_WRONLY)
        try:
            os.pwrite(descriptor, _count(counter), len(_line(self.owner)))
        finally:
            os.close(descriptor)


def host() -> str:
    """This machine, hashed."""
    return hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest()


def _line(owner: Owner) -> bytes:
    return json.dumps(asdict(owner)).encode() + b"\n"


def _count(counter: int) -> bytes:
    return f"{counter:0{_DIGITS}d}\n".encode()


def _read(path: Path) -> Held | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError:
        return Held(None, "")
    first, _, rest = data.partition(b"\n")
    try:
        return Held(Owner(**json.loads(first)), rest.decode(errors="replace").strip())
    except (ValueError, TypeError):
        return Held(None, data.decode(errors="replace"))


def _create(path: Path, data: bytes) -> bool:
    """Make a file that nobody else has made; never seen empty where the file system has hard links."""
    temporary = path.with_name(f".tmp-{os.getpid()}-{secrets.token_hex(4)}")
    temporary.write_bytes(data)
    try:
        os.link(temporary, path)
        return True
    except FileExistsError:
        return False
    except OSError:  # no hard links here
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        os.write(descriptor, data)
        os.close(descriptor)
        return True
    finally:
        temporary.unlink(missing_ok=True)


def _boot() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return hashlib.blake2b(f"{boot}{os.readlink('/proc/self/ns/pid')}".encode(), digest_size=8).hexdigest()
    except OSError:
        return ""


def _born(pid: int) -> str:
    """Start time of a living process, "" for one that is gone or ended and not yet collected."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = text.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]
