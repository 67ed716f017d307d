"""Runs translated Python functions on the unit tests of their item: which pass, and what became of the others.

A value passes when its JSON form equals the expected one: lists for tuples, numbers within `tolerance` (relative, or
absolute below 1), true and false no numbers. The outcome of an item is pass, or that of its first test that does not:
wrong, compile_error, runtime_error, timeout, memory, no_output (an empty program, or no value where one is expected).
After a timeout the item's other tests are not run. A program that was run is not run again, so evaluations that write
the same programs cost less. How programs are held: `harness.models.judges.programs.runner`.
Source: metrics.md section 13.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.models.judges.judge import Judge, Opened, judge
from harness.models.judges.programs.runner import JAIL, SERVER, Answer, Job, Limits, run
from harness.options import option

KEPT = 20_000  # programs whose answers an opened judge remembers
OUTCOMES = ("pass", "wrong", "compile_error", "runtime_error", "timeout", "memory", "no_output")


def agrees(found: Any, expected: Any, tolerance: float) -> bool:
    """Whether two JSON values are the same, numbers up to `tolerance` · max(1, |expected|)."""
    if isinstance(expected, bool) or isinstance(found, bool) or expected is None or found is None:
        return found is expected
    if isinstance(expected, int | float) and isinstance(found, int | float):
        if isinstance(expected, int) and isinstance(found, int):
            return found == expected
        try:
            return bool(abs(found - expected) <= tolerance * max(1.0, abs(expected)))
        except OverflowError:  # an integer that no float holds
            return False
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(
            agrees(f, e, tolerance) for f, e in zip(found, expected, strict=True)
        )
    if isinstance(expected, dict) and isinstance(found, dict):
        return found.keys() == expected.keys() and all(agrees(found[k], expected[k], tolerance) for k in expected)
    return isinstance(found, str) and isinstance(expected, str) and found == expected


def outcome(kind: str, text: str, expected: Any, tolerance: float) -> str:
    """The outcome of one test."""
    if kind != "value":
        return "timeout" if kind == "wall" else kind if kind in OUTCOMES[2:] else "runtime_error"
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # nested deeper than we read, or not what a test can expect
        return "wrong"
    if found is None and expected is not None:
        return "no_output"
    return "pass" if agrees(found, expected, tolerance) else "wrong"


@judge("python-tests", version=1)
@dataclass(frozen=True)
class PythonTests(Judge):
    """Facts of an item: {"tests": [{"args": […], "expected": …}, …], "entry": name of the function}."""

    reads: ClassVar[tuple[str, ...]] = ("texts",)
    exact: ClassVar[bool] = True

    cpu_s: float = option(0.5, unit="s", above=0.0, help="CPU time a test", source="ours: 1000 times what a test takes")
    wall_s: float = option(5.0, unit="s", above=0.0, help="time a test, asleep or not", source="ours")
    memory_mb: int = option(512, unit="MB", at_least=64, help="address space a test", source="ours")
    output_kb: int = option(256, unit="kB", at_least=1, help="JSON of a returned value", source="ours")
    tolerance: float = option(1e-9, at_least=0.0, help="of numbers, relative above 1 and absolute below", source="ours")
    workers: int = option(1, unit="processes", at_least=1, in_id=False, help="programs run at once; changes no verdict")

    def digest(self) -> str:
        return _digest()

    def open(self, device: str) -> Opened:  # noqa: ARG002 - the protocol
        limits = Limits(self.cpu_s, self.wall_s, self.memory_mb, self.output_kb)
        known: dict[Job, Answer] = {}  # a search asks of most programs again and again; endless ones cost the most

        def judged(
            artifacts: Mapping[str, NDArray[Any]], facts: Sequence[Mapping[str, Any]]
        ) -> dict[str, NDArray[Any]]:
            texts = artifacts["texts"]
            if len(texts) != len(facts):
                raise ValueError(f"{len(texts)} programs with the tests of {len(facts)} items")
            jobs = [
                Job(str(text), str(fact["entry"]), json.dumps([t["args"] for t in fact["tests"]]))
                for text, fact in zip(texts, facts, strict=True)
            ]
            # one look each: another thread may make the judge forget
            answers = {job: answer for job in jobs if (answer := known.get(job)) is not None}
            missing = list(dict.fromkeys(job for job in jobs if job not in answers))
            answers |= dict(zip(missing, run(missing, limits, self.workers), strict=True))
            if len(known) > KEPT:
                known.clear()
            known.update(answers)
            return self._verdicts([answers[job] for job in jobs], facts)

        return judged

    def _verdicts(self, answers: Sequence[Answer], facts: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
        found = [
            [
                outcome(kind, text, test["expected"], self.tolerance)
                for (kind, text), test in zip(answer.results, fact["tests"], strict=True)
            ]
            for answer, fact in zip(answers, facts, strict=True)
        ]
        if untested := [i for i, tests in enumerate(found) if not tests]:
            raise ValueError(f"item {untested[0]} has no unit tests: nothing can be said of it")
        return {
            "outcome": np.array([next((o for o in tests if o != "pass"), "pass") for tests in found], dtype=np.str_),
            "passed": np.array([tests.count("pass") for tests in found], dtype=np.int64),
            "tests": np.array([len(tests) for tests in found], dtype=np.int64),
            "again": np.array([answer.again for answer in answers], dtype=np.bool_),
        }


@cache
def _digest() -> str:
    """The interpreter and the two scripts that hold the programs."""
    version = f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    content = hashlib.blake2b(version.encode(), digest_size=16)
    for script in (JAIL, SERVER):
        content.update(script.read_bytes())
    return content.hexdigest()
