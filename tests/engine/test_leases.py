"""Leases: one holder, takeover only from the gone or the silent, no clock but the reader's own (E9)."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.engine.leases import OBSERVATIONS, Leases, Owner, _count, _line

ADDRESS = "ab" * 16


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def plant(leases: Leases, owner: Owner, counter: int = 0) -> None:
    leases.path(ADDRESS).parent.mkdir(parents=True, exist_ok=True)
    leases.path(ADDRESS).write_bytes(_line(owner) + _count(counter))


@pytest.fixture
def elsewhere() -> Owner:
    """An owner on another machine."""
    return replace(Owner.of_this_process("process"), token="ff" * 8, host="00000000", boot="another boot", pid=1)


def test_a_lease_has_one_holder_and_can_be_had_again_after_release(tmp_path: Path) -> None:
    lease = Leases(tmp_path).take(ADDRESS, "x")
    assert lease is not None
    assert Leases(tmp_path).take(ADDRESS, "x") is None
    assert Leases(tmp_path).is_live(ADDRESS)
    lease.release()
    assert not Leases(tmp_path).is_live(ADDRESS)
    with Leases(tmp_path).take(ADDRESS, "x") or pytest.fail("not free"):
        pass
    assert not list((tmp_path / "leases").iterdir())


def test_the_lease_of_a_dead_process_is_taken_at_once(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from harness.engine.leases import Leases; "
    code += "Leases(Path(sys.argv[1])).take(sys.argv[2], 'x')"
    subprocess.run([sys.executable, "-c", code, str(tmp_path), ADDRESS], check=True)
    assert Leases(tmp_path).path(ADDRESS).exists()
    lease = Leases(tmp_path).take(ADDRESS, "x")
    assert lease is not None
    assert [p.name for p in (tmp_path / "leases").iterdir()] == [ADDRESS]


def test_a_process_with_the_same_number_is_not_the_owner(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    plant(leases, replace(Owner.of_this_process("x"), token="ff" * 8, born="1"))
    assert leases.take(ADDRESS, "x") is not None


def test_a_silent_owner_elsewhere_loses_the_lease_after_six_periods_of_the_readers_clock(
    tmp_path: Path, elsewhere: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)  # a wrong system clock changes nothing
    clock = Clock()
    leases = Leases(tmp_path, 10.0, clock)
    plant(leases, elsewhere)
    assert leases.take(ADDRESS, "x") is None
    clock.now += OBSERVATIONS * 10.0 - 1
    plant(leases, elsewhere, 1)  # it counts: alive
    assert leases.take(ADDRESS, "x") is None
    clock.now += OBSERVATIONS * 10.0 - 1
    assert leases.take(ADDRESS, "x") is None
    clock.now += 2
    lease = leases.take(ADDRESS, "x")
    assert lease is not None
    assert Leases(tmp_path).held(ADDRESS).owner == lease.owner  # type: ignore[union-attr]


def test_an_unreadable_lease_is_believed_for_as_long(tmp_path: Path) -> None:
    clock = Clock()
    leases = Leases(tmp_path, 10.0, clock)
    leases.path(ADDRESS).parent.mkdir()
    leases.path(ADDRESS).write_bytes(b"\0\1 no lease")
    assert leases.take(ADDRESS, "x") is None
    clock.now += OBSERVATIONS * 10.0 + 1
    assert leases.take(ADDRESS, "x") is not None


def test_a_lease_that_came_between_looking_and_taking_is_given_back(tmp_path: Path, elsewhere: Owner) -> None:
    clock = Clock()
    leases = Leases(tmp_path, 10.0, clock)
    plant(leases, elsewhere)
    leases.held(ADDRESS)
    live = replace(elsewhere, token="ee" * 8)
    plant(leases, live, 5)
    assert not leases._clear(ADDRESS)
    assert leases.held(ADDRESS).owner == live  # type: ignore[union-attr]


def test_the_holder_counts_and_notices_a_loss(tmp_path: Path, elsewhere: Owner) -> None:
    lease = Leases(tmp_path, 0.02).take(ADDRESS, "x")
    assert lease is not None
    with lease:
        reader = Leases(tmp_path, 0.02)
        first = reader.held(ADDRESS)
        deadline = time.monotonic() + 10
        while reader.held(ADDRESS) == first and time.monotonic() < deadline:
            time.sleep(0.01)
        assert reader.held(ADDRESS) != first
        plant(reader, elsewhere)
        while not lease.is_lost and time.monotonic() < deadline:
            time.sleep(0.01)
        assert lease.is_lost
    assert reader.held(ADDRESS).owner == elsewhere  # type: ignore[union-attr]  # another's lease is not released


def _race(root: str, together: Any, wins: str) -> None:
    together.wait()
    if Leases(Path(root)).take(ADDRESS, "x") is not None:
        os.close(os.open(f"{wins}/{os.getpid()}", os.O_CREAT))
    together.wait()  # the holder lives until all have tried, however slow the machine is


def test_of_many_takers_of_a_dead_lease_one_wins(tmp_path: Path) -> None:
    wins = tmp_path / "wins"
    wins.mkdir()
    plant(Leases(tmp_path), replace(Owner.of_this_process("x"), token="ff" * 8, pid=2**22 + 1))
    context = multiprocessing.get_context("fork")
    together = context.Barrier(6)
    takers = [context.Process(target=_race, args=(str(tmp_path), together, str(wins))) for _ in range(6)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert len(list(wins.iterdir())) == 1
