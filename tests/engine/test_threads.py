"""Threads of a worker: the cores it may have, or what the user asked for."""

import pytest

from harness.engine import devices


@pytest.mark.parametrize(
    ("workers", "asked", "threads"),
    [(1, "", 8), (2, "", 4), (16, "", 1), (1, "2", 2), (2, "2", 1), (1, "64", 8), (1, "0", 8), (1, "4,2", 8)],
)
def test_threads_divide_the_cores_and_never_exceed_what_the_user_asked_for(
    workers: int, asked: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert devices.threads_each(workers, {"OMP_NUM_THREADS": asked}) == threads
