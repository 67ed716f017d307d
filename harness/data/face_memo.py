"""Where a detector found faces in a file, remembered by the file's hash: a folder is searched once, not once a verb.

One JSON file a detector (all that decides what it finds) under the user's cache folder; it holds boxes and points, no
pixels and no names. A memo that is damaged or read-only costs time, never a result.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.face_geometry import Face

EVERY = 500  # files between two savings


class FaceMemo:
    """Faces by hash of the file, for one detector and way of searching; an empty `key` remembers nothing."""

    def __init__(self, key: str) -> None:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        self.path = root / "posthoc-harness" / "faces" / f"{name}.json" if key else None
        self._known: dict[str, Any] = self._read()
        self._new = 0

    def get(self, sha256: str) -> list[Face] | None:
        """What was found in a file, None where it was not searched."""
        with contextlib.suppress(KeyError, TypeError, ValueError):
            return [_face(numbers) for numbers in self._known[sha256]]
        return None

    def put(self, sha256: str, faces: Sequence[Face]) -> None:
        self._known[sha256] = [[*f.box, *f.points.ravel().tolist(), f.score] for f in faces]
        self._new += 1
        if self._new >= EVERY:
            self.save()

    def save(self) -> None:
        """Writes what is new, atomically."""
        if not self._new or self.path is None:
            return
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self.path.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({**self._read(), **self._known}, file)
            os.replace(temporary, self.path)
        self._new = 0

    def _read(self) -> dict[str, Any]:
        if self.path is None:
            return {}
        try:
            loaded = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return loaded if isinstance(loaded, dict) else {}


def _face(numbers: Sequence[Any]) -> Face:
    """Raises TypeError or ValueError for a record that is none."""
    left, top, right, bottom, *points, score = (float(v) for v in numbers)
    return Face((left, top, right, bottom), np.array(points, dtype=np.float64).reshape(5, 2), score)
