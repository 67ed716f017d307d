"""Cutting network calls into micro-batches, and the back-off when memory runs out (engine.md sections 6 and 8).

Micro-batch b is always items bM … bM+M-1; a remainder is padded to M with copies of its first item, and the copies'
results are dropped. On an out-of-memory error only M is halved, and the whole network call is made again.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from harness.models.model import OutOfMemory

T = TypeVar("T")


@dataclass
class MicroBatches:
    """size: M, items a network call. tried: sizes that ran out of memory. fault: raises in tests, before a call."""

    size: int
    fault: Callable[[], None] | None = None
    tried: list[int] = field(default_factory=list)
    padding: int = 0

    def run(self, count: int, call: Callable[[list[int], int], T]) -> list[T]:
        """`call(rows, kept)` for each micro-batch of `count` items: rows are M item indices, the first `kept` count.

        Raises OutOfMemory when a single item does not fit.
        """
        while True:
            try:
                results = []
                for start in range(0, count, self.size):
                    if self.fault is not None:
                        self.fault()
                    kept = min(self.size, count - start)
                    rows = list(range(start, start + kept)) + [start] * (self.size - kept)
                    results.append(call(rows, kept))
                self.padding += -count % self.size
                return results
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self.tried.append(self.size)
                if self.size == 1:
                    raise OutOfMemory(self.size, tuple(self.tried), str(error)) from error
            # outside the handler, so that the failed call's tensors are no longer held by the traceback
            results = []
            release()
            self.size //= 2


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on a GPU or on the CPU."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("can't allocate memory" in text or "out of memory" in text)


def release() -> None:
    """Wait for the GPU, where one is in use, and free its cached memory."""
    import torch

    if torch.cuda.is_available() and torch.cuda.memory_allocated() > 0:
        gc.collect()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
