"""Out of memory: halve the micro-batch and try the shard again; never n, group, steps or resolution."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable
from dataclasses import replace

from harness.models.model import OutOfMemory
from harness.tasks.task import RunContext, ShardResult


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out; told by type name and text, without importing torch."""
    if isinstance(error, MemoryError | OutOfMemory) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error).lower() for words in ("out of memory", "can't allocate memory", "not enough memory")
    )


def with_backoff(work: Callable[[RunContext], ShardResult], context: RunContext) -> tuple[ShardResult, RunContext]:
    """The result, its tries counted, and the context that it took. Raises OutOfMemory at micro-batch 1."""
    tried: list[int] = []
    while True:
        try:
            result = work(context)
        except OutOfMemory:  # the task itself went down to the smallest work
            raise
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            tried.append(context.micro_batch)
            if context.micro_batch <= 1:
                raise OutOfMemory(context.micro_batch, tuple(tried)) from error
        else:
            used = result.micro_batch or context.micro_batch
            if result.tries:  # the task went down by itself: do not try the larger one again
                context = replace(context, micro_batch=min(used, context.micro_batch))
            return replace(result, tries=result.tries + len(tried), micro_batch=used), context
        free()
        context = replace(context, micro_batch=context.micro_batch // 2)


def free() -> None:
    """Give memory back after a failed allocation."""
    gc.collect()
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_initialized():
        with contextlib.suppress(RuntimeError):
            torch.cuda.synchronize()
        torch.cuda.empty_cache()
