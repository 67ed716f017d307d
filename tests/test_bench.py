"""The frame of the benchmarks: rows, discovery, what goes to stdout. No benchmark is run here."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
KEYS = {"name", "ours_s", "peer", "peer_s", "ratio", "goal", "met", "equal_to", "note"}


@pytest.fixture
def frame(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    if hasattr(os, "sched_setaffinity"):  # the tests of this process go on with all cores
        monkeypatch.setattr(os, "sched_setaffinity", lambda who, cores: None)
    return importlib.import_module("bench.__main__")


@pytest.fixture
def measure(frame: Any) -> Any:
    return importlib.import_module("bench.measure")


def benchmark(monkeypatch: pytest.MonkeyPatch, frame: Any, run: Any, name: str = "made_up") -> str:
    module = ModuleType(f"bench.{name}")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(frame, "names", lambda: [name])
    return name


def test_every_file_with_a_run_is_a_benchmark_and_no_other(frame: Any) -> None:
    found = frame.names()
    assert "loop" in found
    assert not {"measure", "__main__", "__init__"} & set(found)


def test_json_is_a_list_of_rows_and_nothing_else_on_stdout(
    frame: Any, measure: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> list[Any]:
        print("Num real: 10 Num fake: 10")  # as prdc does
        return [measure.Row("a", 2.0, "peer", 8.0, "ratio at least 3", True, 1e-9)]

    benchmark(monkeypatch, frame, run)
    assert frame.main(["--json"]) == 0
    out = capsys.readouterr().out
    (row,) = json.loads(out)
    assert row == {"name": "a", "ours_s": 2.0, "peer": "peer", "peer_s": 8.0, "ratio": 4.0, "goal": "ratio at least 3",
                   "met": True, "equal_to": 1e-9, "note": ""}  # fmt: skip


def test_a_missing_peer_leaves_the_goal_open_with_the_reason(
    frame: Any, measure: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark(monkeypatch, frame, lambda: [measure.cannot("a", "ratio at least 3", "prdc is not installed", "prdc")])
    assert frame.main(["--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert set(row) == KEYS
    assert (row["met"], row["note"], row["ratio"]) == (None, "prdc is not installed", None)


def test_a_missed_goal_or_an_error_is_seen(
    frame: Any, measure: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark(monkeypatch, frame, lambda: [measure.Row("slow [x]", 2.0, None, None, "under 1 s", False, note="[why]")])
    assert frame.main([]) == 1
    shown = capsys.readouterr().out
    assert "no" in shown
    assert "[why]" in shown

    benchmark(monkeypatch, frame, raising(RuntimeError("out of luck")))
    assert frame.main(["--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert row["met"] is False
    assert "out of luck" in row["note"]
    benchmark(monkeypatch, frame, raising(ModuleNotFoundError("No module", name="prdc")))
    assert frame.main(["--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["met"], row["note"]) == (None, "prdc is not installed")


def raising(error: Exception) -> Any:
    def run() -> list[Any]:
        raise error

    return run


def test_an_unknown_name_is_bad_input(frame: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        frame.main(["nothing"])
    assert stopped.value.code == 2
    assert "no benchmark 'nothing'" in capsys.readouterr().err


def test_calls_alternate_and_the_warm_round_does_not_count(measure: Any) -> None:
    order: list[str] = []
    timed = measure.alternate(
        {"a": lambda: order.append("a") or len(order), "b": lambda: order.append("b")}, repeat=2, warm=1
    )
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert len(timed["a"].seconds) == 2
    assert timed["a"].value == 5
    assert timed["a"].best == min(timed["a"].seconds)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_peak_memory_sees_what_a_call_allocates_and_frees(measure: Any) -> None:
    def call() -> None:
        block = bytearray(120_000_000)
        block[::4096] = b"x" * len(block[::4096])

    assert 100 < measure.peak_extra_mb(call) < 200
