"""What became of a cell: a state, a reason unless it is ok, and flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Flag(StrEnum):
    """What is known of a finished cell besides its state."""

    NONDETERMINISTIC = "nondeterministic"  # the same address gave different content
    INERT = "inert"  # the intervention changed nothing: shown, never ranked


NONDETERMINISTIC, INERT = Flag.NONDETERMINISTIC, Flag.INERT


class State(StrEnum):
    OK = "ok"
    FAILED = "failed"
    OOM = "oom"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    SKIPPED = "skipped-by-rule"
    RUNNING = "running"
    NOT_RUN = "not-run"


@dataclass(frozen=True)
class CellStatus:
    """State, one line of reason (empty only when ok), flags. Raises ValueError for a state without a reason."""

    state: State
    reason: str = ""
    flags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.state is not State.OK and not self.reason:
            raise ValueError(f"status {self.state.value} without a reason")

    @property
    def is_ok(self) -> bool:
        return self.state is State.OK

    def __str__(self) -> str:
        flags = f" [{', '.join(sorted(self.flags))}]" if self.flags else ""
        return f"{self.state.value}: {self.reason}{flags}" if self.reason else f"{self.state.value}{flags}"

    def to_json(self) -> dict[str, Any]:
        return {"state": self.state.value, "reason": self.reason, "flags": sorted(self.flags)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> CellStatus:
        return cls(State(record["state"]), str(record["reason"]), frozenset(record.get("flags", ())))


NOT_RUN = CellStatus(State.NOT_RUN, "never ran")
