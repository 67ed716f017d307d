"""Cutting network calls into micro-batches, and the back-off when memory runs out (engine.md sections 6 and 8).

Micro-batch b is always items bM … bM+M-1; a remainder is padded to M with copies of its first item, and the copies'
results are dropped. Where there are fewer items than M, M is the next power of two (at least 8): padding 4 items to 64
would only burn time, and the number of items is fixed by the plan, so the result still does not depend on who runs it.
On an out-of-memory error only M is halved, and the whole network call is made again.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from harness.models.model import OutOfMemory

T = TypeVar("T")

# Kernels differ by shape below this size (measured: batches 8, 32 and 64 are equal, 1 and 7 are not; engine.md 8).
SMALLEST_PADDED = 8


@dataclass
class MicroBatches:
    """size: M, items a network call at most. tried: sizes that did not fit. fault: raises in tests, before a call."""

    size: int
    fault: Callable[[], None] | None = None
    tried: list[int] = field(default_factory=list)
    padding: int = 0

    def run(self, count: int, call: Callable[[list[int], int], T]) -> list[T]:
        """`call(rows, kept)` for each micro-batch of `count` items: rows are M item indices, the first `kept` count.

        Raises OutOfMemory when a single item does not fit.
        """
        while True:
            size = min(self.size, max(SMALLEST_PADDED, 1 << (count - 1).bit_length()))
            try:
                results = []
                for start in range(0, count, size):
                    if self.fault is not None:
                        self.fault()
                    kept = min(size, count - start)
                    rows = list(range(start, start + kept)) + [start] * (size - kept)
                    results.append(call(rows, kept))
                self.padding += -count % size
                return results
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self.tried.append(size)
                if size == 1:
                    raise OutOfMemory(size, tuple(self.tried), str(error)) from error
            # outside the handler, so that the failed call's tensors are no longer held by the traceback
            results = []
            release()
            self.size = size // 2


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
