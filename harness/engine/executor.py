"""What an executor is: it runs cell specs somewhere. Results travel through the store only, and the store decides.

Cluster executors implement the same four verbs: one cell is one call of the worker's entry with a JSON file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.engine.messages import Sink


@dataclass(frozen=True)
class Resources:
    """How many cells at once, and on which devices."""

    slots: int
    devices: Sequence[str]


class Executor(Protocol):
    def capacity(self) -> Resources:
        """What it can run at once."""

    def submit(self, spec: Path, address: str) -> None:
        """Begin a cell; called only while fewer than `capacity().slots` cells are under way."""

    def serve(self, timeout_s: float, sink: Sink) -> None:
        """Pass on what happened, waiting at most so long for the first thing.

        Every submitted cell gets exactly one message ENDED, also when its worker died.
        """

    def cancel(self, address: str, reason: str) -> None:
        """End one cell now; its ENDED message has state `timeout`."""

    def stop(self) -> None:
        """Cells under way end after the shard in flight."""

    def close(self) -> None:
        """End everything now and give back what is held."""
