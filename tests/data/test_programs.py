"""Problems of code translation: the world's, and a user's JSONL with every mistake named by file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.data.files import MissingData
from harness.data.programs import load_problems


def line(name: str, **more: Any) -> dict[str, Any]:
    tests = [{"args": [2], "expected": 3}]
    return {"name": name, "source": "x", "target": "y", "entry": "f", "tests": tests, **more}


def written(path: Path, rows: list[Any]) -> str:
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows) + "\n\n")
    return str(path)


def test_the_worlds_splits_carry_their_own_tests() -> None:
    tune, report = load_problems("programs", "tune"), load_problems("programs", "report")
    assert (len(tune), len(report)) == (72, 200)
    assert {len(p["tests"]) for p in tune} == {4}
    assert {len(p["tests"]) for p in report} == {6}
    assert not {p["name"] for p in tune} & {p["name"] for p in report}
    json.dumps([tune, report])  # plain values
    with pytest.raises(ValueError, match="training"):
        load_problems("programs", "training")


def test_a_users_problems_are_split_by_name_and_not_by_order(tmp_path: Path) -> None:
    rows = [line(f"p{i}") for i in range(12)]
    first = written(tmp_path / "a.jsonl", rows)
    second = written(tmp_path / "b.jsonl", rows[::-1])
    tune, report = (load_problems(first, s) for s in ("tune", "report"))
    assert len(tune) == 4
    assert len(report) == 8
    assert {p["name"] for p in tune} == {p["name"] for p in load_problems(second, "tune")}
    assert not {p["name"] for p in tune} & {p["name"] for p in report}
    assert tune[0].keys() == load_problems("programs", "tune")[0].keys()
    assert tune[0]["reference"] == "y"


def test_a_stated_split_is_kept(tmp_path: Path) -> None:
    rows = [line("a", split="tune"), line("b", split="report"), line("c", split="report")]
    path = written(tmp_path / "a.jsonl", rows)
    assert [p["name"] for p in load_problems(path, "tune")] == ["a"]
    assert [p["name"] for p in load_problems(path, "report")] == ["b", "c"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{", "no JSON"),
        ([1], "expected an object"),
        ({**line("b"), "source": 3}, "'source' must be text"),
        ({**line("b"), "tests": []}, "no unit tests"),
        ({**line("b"), "tests": [{"args": 1, "expected": 2}]}, "a test is"),
        ({**line("b"), "langauge": "js"}, "unknown field 'langauge'"),
        ({**line("b"), "split": "test"}, "split must be tune or report"),
    ],
)
def test_a_mistake_is_named_with_file_and_line(bad: Any, message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "mine.jsonl", [line("a"), bad])
    with pytest.raises(ValueError, match=rf"mine\.jsonl:2: .*{message}"):
        load_problems(path, "tune")


def test_a_set_that_is_no_set_is_refused(tmp_path: Path) -> None:
    for rows, message in (
        ([], "no problems"),
        ([line("a"), line("a")], "'a' is there twice"),
        ([line("a"), line("b", split="tune")], "'a' states no split"),
    ):
        with pytest.raises(ValueError, match=message):
            load_problems(written(tmp_path / "a.jsonl", rows), "tune")
    with pytest.raises(MissingData, match=r"none\.jsonl"):
        load_problems(str(tmp_path / "none.jsonl"), "tune")


def test_the_first_problems_of_a_split_are_a_sample_of_its_families() -> None:
    """A tune subset of declared size must not be one family: 32 of 72 problems see most of them."""
    tune = load_problems("programs", "tune")
    assert len({p["family"] for p in tune[:32]}) > 0.5 * len({p["family"] for p in tune})
    assert sorted(p["name"] for p in tune) != [p["name"] for p in tune]
