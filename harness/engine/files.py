"""Atomic files: a write is wholly there or not at all, whatever ends the process (engine.md section 3).

Temporary name in the same folder, write, flush, fsync the file, `os.replace`, fsync the folder (once for files that
only count together). Readers never look at temporary names; what a killed writer left is swept by the next owner of
the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

TEMPORARY = ".tmp-"


def write_bytes(path: Path, data: bytes, *, lasting: bool = True, synced: bool = True) -> None:
    """Write `data` to `path`: afterwards the file is the old or the new one, never a mixture. Raises OSError.

    lasting   the name survives a loss of power too; without it, only once a later write in the folder is lasting
    synced    so does the content; without it, only for what is checked when it is read and easily written again
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if synced:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    if lasting and synced:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable; file systems that cannot are left as they are."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: Path, value: Any, *, lasting: bool = True) -> None:
    """Write a JSON value readably. Raises ValueError for NaN and infinities, which JSON does not have."""
    write_bytes(path, as_json(value), lasting=lasting)


def as_json(value: Any) -> bytes:
    """The bytes of a readable JSON file. Raises ValueError for NaN and infinities."""
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def read_json(path: Path) -> Any:
    """The JSON value of a file, or None when it is not there or is no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def sweep(folder: Path) -> None:
    """Remove temporary files that killed writers left in a folder. Only for who owns the folder's lease."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.startswith(TEMPORARY):
                os.unlink(entry.path)
