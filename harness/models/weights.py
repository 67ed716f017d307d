"""Hashes of weight files, remembered by (path, size, modification time) so that gigabytes are read once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path

# Files above this size are remembered on disk too; smaller ones are read again in every process.
REMEMBER_BYTES = 64 * 2**20

_seen: dict[tuple[str, int, int], str] = {}


def sha256(path: Path) -> str:
    """64 hexadecimal digits."""
    stat = path.stat()
    key = (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
    if key not in _seen:
        large = stat.st_size >= REMEMBER_BYTES
        known = _remembered().get(json.dumps(key)) if large else None
        if known is None:
            with path.open("rb") as file:
                known = hashlib.file_digest(file, "sha256").hexdigest()
            if large:
                _remember(json.dumps(key), known)
        _seen[key] = known
    return _seen[key]


def _book() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "posthoc-harness" / "sha256.json"


def _remembered() -> dict[str, str]:
    try:
        loaded = json.loads(_book().read_text())
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _remember(key: str, value: str) -> None:
    with contextlib.suppress(OSError):  # a read-only home costs time, not a result
        book = _book()
        book.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=book.parent)
        with os.fdopen(handle, "w") as file:
            json.dump({**_remembered(), key: value}, file)
        os.replace(temporary, book)
