"""Digests of decoded images, remembered by (file, size, modification time), so that a reference is hashed once.

One JSON file a (set of files, way of reading) under the user's cache folder. What is remembered is trusted for naming
only: whoever loads the pixels hashes them again and refuses what differs (harness/data/files.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class FileFacts:
    """What one file holds, an entry an image.

    digests     32 hexadecimal digits each, of the pixels as read
    shapes      (height, width) each
    containers  png, jpeg, … each
    labels      int, text or None each
    """

    digests: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]
    containers: tuple[str, ...]
    labels: tuple[int | str | None, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "digests": "".join(self.digests),
            "shapes": _runs(self.shapes),
            "containers": _runs(self.containers),
            "labels": _runs(self.labels),
        }

    @classmethod
    def from_json(cls, record: Any) -> FileFacts:
        text = record["digests"]
        digests = tuple(text[i : i + 32] for i in range(0, len(text), 32))
        shapes = tuple((int(h), int(w)) for h, w in _unrolled(record["shapes"]))
        facts = cls(digests, shapes, tuple(_unrolled(record["containers"])), tuple(_unrolled(record["labels"])))
        if not len(digests) == len(shapes) == len(facts.containers) == len(facts.labels):
            raise ValueError("columns of different length")
        return facts


def _runs(values: tuple[Any, ...]) -> list[list[Any]]:
    """[[value, count], …]"""
    runs: list[list[Any]] = []
    for value in values:
        if runs and runs[-1][0] == value:
            runs[-1][1] += 1
        else:
            runs.append([value, 1])
    return runs


def _unrolled(runs: list[list[Any]]) -> list[Any]:
    return [value for value, count in runs for _ in range(count)]


class Memo:
    """Facts by file, for one way of reading. `key` names the way and the set of files."""

    def __init__(self, key: str) -> None:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        self.path = root / "posthoc-harness" / "pixels" / f"{name}.json"
        self._entries: dict[str, Any] = self._read()
        self._changed = False

    def _read(self) -> dict[str, Any]:
        try:
            loaded = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return loaded if isinstance(loaded, dict) else {}

    def get(self, file: Path) -> FileFacts | None:
        """What is known of a file that has not changed since."""
        entry = self._entries.get(str(file.resolve()))
        with contextlib.suppress(KeyError, TypeError, ValueError):
            if entry is not None and entry["stamp"] == _stamp(file):
                return FileFacts.from_json(entry)
        return None

    def put(self, file: Path, facts: FileFacts) -> None:
        self._entries[str(file.resolve())] = {"stamp": _stamp(file), **facts.to_json()}
        self._changed = True

    def save(self) -> None:
        """Writes what is new, atomically. A read-only home costs time, not a result."""
        if not self._changed:
            return
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.path.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({**self._read(), **self._entries}, file)
            os.replace(temporary, self.path)
        self._changed = False


def _stamp(file: Path) -> list[int]:
    stat = file.stat()
    return [stat.st_size, stat.st_mtime_ns]
