"""The executor in this very process: for debugging and toys. A crash of a cell's native code ends everything."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from harness.engine.executor import Resources
from harness.engine.messages import Sink
from harness.engine.spec import Spec
from harness.engine.worker import Workshop, run_cell


@dataclass
class Inline:
    device: str
    _specs: deque[Path] = field(default_factory=deque)
    _workshop: Workshop = field(default_factory=Workshop)
    _stopping: bool = False

    def capacity(self) -> Resources:
        return Resources(1, (self.device,))

    def submit(self, spec: Path, address: str) -> None:  # noqa: ARG002
        self._specs.append(spec)

    def serve(self, timeout_s: float, sink: Sink) -> None:
        """Executes the next cell from beginning to end."""
        if not self._specs:
            time.sleep(timeout_s)
        else:
            spec = Spec.read(self._specs.popleft())
            run_cell(
                spec.cell, spec.store, spec.execution, emit=sink, stop=lambda: self._stopping, workshop=self._workshop
            )

    def cancel(self, address: str, reason: str) -> None:
        """Nothing can interrupt the process that one is: a time limit needs the process executor."""

    def stop(self) -> None:
        self._stopping = True

    def close(self) -> None:
        self._workshop.close()
