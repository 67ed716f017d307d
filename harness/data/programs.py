"""Problems of code translation: those of the programs world, or a user's own in a JSONL file.

A line of the file is one problem: {"name": …, "source": …, "target": …, "entry": …, "tests": [{"args": […],
"expected": …}, …]}, with "split": "tune" or "report" where the split is the user's. Without it a third of the
problems, drawn by their names, tunes. No problem is in both splits, so no unit test is either.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.data.files import MissingData
from harness.keys import digest
from harness.worlds import programs

WORLD = "programs"
FIELDS = {"name": str, "source": str, "target": str, "entry": str, "tests": list}
SPLITS = ("tune", "report")


def load_problems(problems: str, split: str) -> list[dict[str, Any]]:
    """The problems of "tune" or "report": name, family, source, reference, entry and the split's own tests.

    Their order is drawn by their names, so that the first so many are a sample of the split, and not one family.

    problems: "programs", or the path of a JSONL file. Raises ValueError naming file and line of what is wrong,
    MissingData where there is no file.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; one of {', '.join(SPLITS)}")
    if problems == WORLD:
        found = [
            {
                "name": p.name,
                "family": p.family,
                "source": p.source,
                "reference": p.target,
                "entry": p.entry,
                "tests": [{"args": list(t.args), "expected": t.expected} for t in getattr(p, split)],
            }
            for p in programs.problems(split)  # type: ignore[arg-type]
        ]
    else:
        found = [p for p, own in _read(Path(problems).expanduser()) if own == split]
    return sorted(found, key=lambda p: digest(0, "split", "order", str(p["name"])))


def _read(path: Path) -> list[tuple[dict[str, Any], str]]:
    """Problems of a file with their split, in its order."""
    if not path.is_file():
        raise MissingData(f"no problems at {path}: give a JSONL file, or {WORLD!r} for those of the programs world")
    found: list[tuple[dict[str, Any], str]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            found.append(_problem(line, f"{path}:{number}"))
    if not found:
        raise ValueError(f"{path}: no problems")
    names = [p["name"] for p, _ in found]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ValueError(f"{path}: problem {twice[0]!r} is there twice")
    if not any(own for _, own in found):
        order = sorted(names, key=lambda name: digest(0, "split", WORLD, name))
        tuning = set(order[: max(1, len(order) // 3)]) if len(order) > 1 else set()
        return [(p, "tune" if p["name"] in tuning else "report") for p, _ in found]
    if open_ones := [p["name"] for p, own in found if not own]:
        raise ValueError(f"{path}: problem {open_ones[0]!r} states no split, others do")
    return found


def _problem(line: str, where: str) -> tuple[dict[str, Any], str]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where}: no JSON: {error}") from None
    if not isinstance(row, dict):
        raise ValueError(f"{where}: expected an object, found {type(row).__name__}")
    for field, kind in FIELDS.items():
        if not isinstance(row.get(field), kind):
            raise ValueError(
                f"{where}: {field!r} must be {'text' if kind is str else 'a list'}, found {row.get(field)!r}"
            )
    if unknown := sorted(set(row) - set(FIELDS) - {"split", "family"}):
        raise ValueError(f"{where}: unknown field {unknown[0]!r}")
    for test in row["tests"]:
        if not isinstance(test, dict) or set(test) != {"args", "expected"} or not isinstance(test["args"], list):
            raise ValueError(f'{where}: a test is {{"args": [...], "expected": ...}}, found {test!r}')
    if not row["tests"]:
        raise ValueError(f"{where}: no unit tests: nothing could be said of a translation")
    split = row.get("split", "")
    if split not in ("", *SPLITS):
        raise ValueError(f"{where}: split must be tune or report, found {split!r}")
    problem = {k: row[k] for k in ("name", "source", "entry", "tests")}
    return {**problem, "family": str(row.get("family", "")), "reference": row["target"]}, split
