"""The programs world: disjoint splits, held-out families, references that are right in both languages."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from harness.worlds import programs
from harness.worlds.programs.paired import binary, choice, floor, give, negation, number, same, when
from harness.worlds.programs.problems import canonical, cases, draw, skeleton

TUNE, REPORT = programs.problems("tune"), programs.problems("report")


def test_the_splits_have_the_declared_sizes_and_no_program_in_common() -> None:
    assert (len(TUNE), len(REPORT)) == (programs.SIZES["tune"], programs.SIZES["report"])
    texts = {s: {canonical(p.source, p.entry) for p in programs.problems(s)} for s in ("training", "tune", "report")}
    assert not texts["tune"] & texts["report"]
    assert not texts["training"] & (texts["tune"] | texts["report"])
    assert len(texts["report"]) == len(REPORT)
    assert len(programs.problems("training")) > 20_000


def test_held_out_families_are_in_no_training_program_and_half_of_the_questions() -> None:
    trained = {p.family for p in programs.problems("training")}
    assert trained == set(programs.SEEN)
    asked = {skeleton(p.source, p.entry) for p in (*TUNE, *REPORT) if p.family in programs.HELD_OUT}
    assert not asked & {skeleton(p.source, p.entry) for p in programs.problems("training")}
    for split in (TUNE, REPORT):
        count = Counter(p.family in programs.HELD_OUT for p in split)
        assert count[True] == count[False]
        assert {p.family for p in split} >= set(programs.HELD_OUT)


def test_programs_that_differ_in_names_constants_and_operators_are_built_alike() -> None:
    one = 'function f(a) {\n    return a.map(x => x * 3 > 4 ? "no" : x - 12);\n}\n'
    two = 'function g(k) {\n    return k.map(v => v + 33 <= 0 ? "yes" : v + 1);\n}\n'
    assert skeleton(one, "f") == skeleton(two, "g")
    assert skeleton(one, "f") != skeleton(one.replace("x - 12", "12"), "f")


def test_nested_statements_run_and_are_a_third_of_the_training() -> None:
    training = programs.problems("training")
    assert 0.3 < np.mean([p.family == "statements" for p in training]) < 0.4
    drawn = [draw("tune", "statements", i, 0) for i in range(120)]
    ran = [cases(p, "statements", i) for i, p in enumerate(drawn)]
    reasons = {reason for _, reason in ran if reason}
    assert reasons <= {"the reference answers alike whatever the input"}
    assert sum(bool(tests) for tests, _ in ran) > 80
    assert max(p.target.count("    " * 4) for p in drawn) > 0  # three deep


def test_tests_for_tuning_and_for_the_report_share_no_input() -> None:
    for p in (*TUNE, *REPORT):
        inputs = [json.dumps(t.args) for t in p.tests]
        assert len(inputs) == len(set(inputs)) == 10
        for part in (p.tune, p.report):
            assert len({json.dumps(t.expected) for t in part}) >= 2  # no constant passes


def test_a_split_is_the_same_in_another_process() -> None:
    code = "from harness.worlds.programs import problems; import hashlib;"
    code += "print(hashlib.sha256(repr(problems('tune')).encode()).hexdigest())"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout
    with pytest.raises(ValueError, match="unknown split 'test'"):
        programs.problems("test")  # type: ignore[arg-type]


def test_what_was_left_out_is_named_with_its_reason() -> None:
    for split in ("tune", "report"):
        left = programs.left_out(split)  # type: ignore[arg-type]
        assert left
        assert all(name.startswith(split) and reason for name, reason in left)
        assert not {name for name, _ in left} & {p.name for p in programs.problems(split)}  # type: ignore[arg-type]


def test_references_are_python_of_one_function_each() -> None:
    for p in (*TUNE, *REPORT):
        body = ast.parse(p.target).body
        assert len(body) == 1
        assert isinstance(body[0], ast.FunctionDef)
        assert body[0].name == p.entry
        assert 2 <= len(p.target.splitlines()) <= 12


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed: the JavaScript side is not run")
def test_javascript_and_python_agree_on_every_unit_test() -> None:
    calls = [
        f"found.push((() => {{ {p.source}\nreturn {p.entry}(...{json.dumps(t.args)}); }})());"
        for p in (*TUNE, *REPORT)
        for t in p.tests
    ]
    script = "const found = [];\n" + "\n".join(calls) + "\nconsole.log(JSON.stringify(found));"
    done = subprocess.run(["node", "-"], input=script, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [t.expected for p in (*TUNE, *REPORT) for t in p.tests]


def test_brackets_stand_where_they_are_needed() -> None:
    a, b = same("a"), same("b")
    assert binary("*", binary("+", a, b), number(2)).py == "(a + b) * 2"
    assert binary("-", a, binary("-", a, b)).py == "a - (a - b)"
    assert binary("**", number(-2), number(2)).py == "(-2) ** 2"
    assert floor(binary("+", a, b), number(2)).js == "Math.floor((a + b) / 2)"
    assert floor(binary("+", a, b), number(2)).py == "(a + b) // 2"
    less = binary("<", a, b)
    assert binary("===", less, less).py == "(a < b) == (a < b)"  # Python would chain them
    assert negation(less).js == "!(a < b)"
    assert negation(less).py == "not a < b"
    assert choice(less, a, b) == choice(less, a, b)
    assert choice(less, a, b).js == "a < b ? a : b"
    assert choice(less, a, b).py == "a if a < b else b"
    ladder = when((less, [give(a)]), (None, [give(b)]))
    assert ladder.js == ("if (a < b) {", "    return a;", "} else {", "    return b;", "}")


def test_a_reference_that_cannot_answer_is_left_out() -> None:
    sound = draw("tune", "arithmetic", 0, 0)
    broken = type(sound)(sound.source, f"def {sound.entry}(*a):\n    return 1 // 0\n", sound.entry, sound.kinds)
    constant = type(sound)(sound.source, f"def {sound.entry}(*a):\n    return 1\n", sound.entry, sound.kinds)
    huge = type(sound)(sound.source, f"def {sound.entry}(*a):\n    return 2 ** 60\n", sound.entry, sound.kinds)
    for program, reason in ((broken, "fails"), (constant, "alike"), (huge, "exactly")):
        tests, why = cases(program, "x")
        assert tests == ()
        assert reason in why
