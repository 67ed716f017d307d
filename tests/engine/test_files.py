"""Atomic writes under faults at every system call (E3) and on a full disk (E4)."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.engine import files

CALLS = ("open", "write", "fsync", "close", "replace")


class Killed(BaseException):
    """The process ends here: nothing after it is executed."""


class Faults:
    """Stands for `os` in harness.engine.files: counts system calls and strikes at one of them."""

    def __init__(self, at: int, strike: Callable[[], BaseException], dead: bool) -> None:
        self.at, self.strike, self.dead, self.count = at, strike, dead, 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in (*CALLS, "unlink"):
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.dead and self.count >= self.at:
                raise Killed  # a dead process makes no further calls
            if name in CALLS:
                self.count += 1
                if self.count == self.at:
                    raise self.strike()
            if name == "write":  # at most three bytes at once, as a kernel may do
                return real(args[0], args[1][:3])
            return real(*args, **kwargs)

        return call


def count_calls(path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    faults = Faults(-1, Killed, False)
    monkeypatch.setattr(files, "os", faults)
    files.write_bytes(path, b"new content")
    monkeypatch.undo()
    return faults.count


def test_a_kill_before_any_system_call_of_a_write_leaves_the_old_or_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = count_calls(tmp_path / "probe", monkeypatch)
    assert total >= 9
    seen = set()
    for at in range(1, total + 1):
        path = tmp_path / f"{at}" / "file"
        files.write_bytes(path, b"old")
        with monkeypatch.context() as patch:
            patch.setattr(files, "os", Faults(at, Killed, True))
            with pytest.raises(Killed):
                files.write_bytes(path, b"new content")
        seen.add(path.read_bytes())
        assert path.read_bytes() in (b"old", b"new content")
        files.sweep(path.parent)
        assert [p.name for p in path.parent.iterdir()] == ["file"]
        files.write_bytes(path, b"new content")
        assert path.read_bytes() == b"new content"
    assert seen == {b"old", b"new content"}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_failed_system_call_raises_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    for at in range(1, 6):  # open, write, fsync, close, replace; a folder that cannot be synced is no fault
        path = tmp_path / f"{at}" / "file"
        files.write_bytes(path, b"old")
        with monkeypatch.context() as patch:
            patch.setattr(files, "os", Faults(at, lambda: OSError(code, os.strerror(code)), False))
            with pytest.raises(OSError, match=os.strerror(code)):
                files.write_bytes(path, b"new")
        assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == {"file": b"old"}


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "x.json", {"value": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff\xfe"])
def test_what_is_no_json_reads_as_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    assert files.read_json(tmp_path / "x.json") is None
