"""What a worker says while it works: JSON lines between processes, the same values within one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from harness.engine.status import CellStatus


class Word(StrEnum):
    STARTED = "started"  # total: items of the cell; done: those already in the store
    ADVANCED = "advanced"  # done: items finished, with fractions of those worked on
    ENDED = "ended"  # status


@dataclass(frozen=True)
class Message:
    word: Word
    address: str
    done: float = 0.0
    total: int = 0
    status: CellStatus | None = None

    def line(self) -> bytes:
        record = {"word": self.word.value, "address": self.address, "done": self.done, "total": self.total}
        if self.status is not None:
            return json.dumps({**record, "status": self.status.to_json()}).encode() + b"\n"
        return json.dumps(record).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Message | None:
        """The message of a line, or None for a line that is none."""
        try:
            record = json.loads(line)
            status = CellStatus.from_json(record["status"]) if "status" in record else None
            return cls(
                Word(record["word"]), str(record["address"]), float(record["done"]), int(record["total"]), status
            )
        except (ValueError, KeyError, TypeError):
            return None


Sink = Callable[[Message], None]


def ignore(message: Message) -> None:
    """A sink for nobody."""
