"""Out of memory at every call: n unchanged, micro-batch halved, the smaller one kept (E10)."""

from __future__ import annotations

import numpy as np
import pytest

from harness.engine.backoff import is_out_of_memory, with_backoff
from harness.models.model import OutOfMemory
from harness.tasks.task import RunContext, ShardResult

CONTEXT = RunContext("cpu", 8, lambda done: None)


class OutOfMemoryError(Exception):
    """Named like torch's."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OutOfMemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_out_of_memory(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


@pytest.mark.parametrize("at", range(1, 9))
def test_memory_that_runs_out_at_any_call_changes_no_item(at: int) -> None:
    calls = 0

    def work(context: RunContext) -> ShardResult:
        nonlocal calls
        rows: list[int] = []
        for start in range(0, 16, context.micro_batch):
            calls += 1
            if calls == at:
                raise MemoryError
            rows.extend(range(start, start + context.micro_batch))
        return ShardResult({"x": np.array(rows)})

    result, context = with_backoff(work, CONTEXT)
    assert result.arrays["x"].tolist() == list(range(16))
    struck = at <= 2
    assert (result.micro_batch, result.tries, context.micro_batch) == ((4, 1, 4) if struck else (8, 0, 8))


def test_a_task_that_went_down_by_itself_is_believed() -> None:
    result, context = with_backoff(lambda c: ShardResult({}, micro_batch=2, tries=2), CONTEXT)
    assert (result.micro_batch, result.tries, context.micro_batch) == (2, 2, 2)
    calls = []

    def hopeless(context: RunContext) -> ShardResult:
        calls.append(context.micro_batch)
        raise OutOfMemory(1, (8, 4, 2, 1))

    with pytest.raises(OutOfMemory, match="micro-batch 8, 4, 2, 1"):
        with_backoff(hopeless, CONTEXT)
    assert calls == [8]


def test_a_small_shard_does_not_lower_the_micro_batch_of_the_next() -> None:
    _, context = with_backoff(lambda c: ShardResult({}, micro_batch=3), CONTEXT)
    assert context.micro_batch == 8


def test_other_errors_pass() -> None:
    def work(context: RunContext) -> ShardResult:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        with_backoff(work, CONTEXT)
