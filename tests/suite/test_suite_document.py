"""YAML with places: values of the core schema, positions, and a corpus of hostile files that must end in a message."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.suite.document import MAX_CHARACTERS, MAX_DEPTH, MAX_OPEN, parse
from harness.suite.errors import SuiteError
from harness.suite.resolved import dump


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("-3", -3), ("0.5", 0.5), (".5", 0.5), ("1e-5", 1e-5), ("1.e3", 1000.0), ("+2", 2), ("true", True),
        ("null", None), ("~", None), ("", None), ("no", "no"), ("on", "on"), ("yes", "yes"), ("'3'", "3"),
        ('"a\\tb"', "a\tb"), ("2024-01-01", "2024-01-01"), ("0x10", "0x10"), ("1_000", "1_000"), ("12:30", "12:30"),
        ("[1, a]", [1, "a"]), ("{a: 1}", {"a": 1}), ("|\n  x\n  y\n", "x\ny\n"), ("007", 7),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    found = parse(f"key: {text}", "t").plain["key"]
    assert found == value
    assert type(found) is type(value)


def test_every_value_and_key_knows_its_place() -> None:
    tree = parse("a: 1\nb:\n  - x\n  - {c: y}\n", "t")
    place = lambda *path: (lambda m: (m.line, m.column))(tree.find(path).mark)  # noqa: E731
    assert place("a") == (1, 4)
    assert place("b", 0) == (3, 5)
    assert place("b", 1, "c") == (4, 9)
    key = tree.find(("b", 1, "c")).key
    assert key is not None
    assert (key.line, key.column) == (4, 6)


def test_a_path_that_goes_too_far_finds_the_deepest_node_on_its_way() -> None:
    tree = parse("a: {b: 1}", "t")
    assert tree.find(("a", "x", 3)).plain == {"b": 1}


def test_an_alias_stands_where_its_anchor_stands() -> None:
    tree = parse("a: &x [1, 2]\nb: *x\n", "t")
    assert tree.plain == {"a": [1, 2], "b": [1, 2]}
    assert tree.find(("b", 1)).mark.line == 1


def laughs(levels: int = 12) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines)


HOSTILE = {
    "a python object": ("a: !!python/object/apply:os.system ['true']", "1:4: tags are not allowed"),
    "a local tag": ("a: !env HOME", "1:4: tags are not allowed: !env"),
    "a tag on a key": ("!x a: 1", "1:1: tags are not allowed: !x"),
    "a binary": ("a: !!binary aGk=", "1:4: tags are not allowed"),
    "billion laughs": (laughs(), "more than 100000 values once aliases are followed"),
    "an alias to itself": ("a: &a [*a]", "1:8: alias *a stands for nothing before it"),
    "an unknown alias": ("a: *b", "1:4: alias *b stands for nothing before it"),
    "deep flow nesting": ("a: " + "[" * 300, f"1:36: nested deeper than {MAX_DEPTH} levels"),
    "a wall of brackets": ("a: " + "[" * 500_000, f"more than {MAX_OPEN} brackets open at once"),
    "deep block nesting": (
        "\n".join("  " * i + f"k{i}:" for i in range(200)),
        f"nested deeper than {MAX_DEPTH} levels",
    ),
    "deep nesting by aliases": (
        "a0: &a0 []\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 400)),
        f"nested deeper than {MAX_DEPTH} levels",
    ),
    "a long text": ("#" * (MAX_CHARACTERS + 1), f"{MAX_CHARACTERS + 1} characters; a suite has at most"),
    "a key twice": ("a: 1\nb: 2\na: 3", "3:1: key 'a' stands twice in one mapping, first in line 1"),
    "a key twice by an alias": ("&k a: 1\n*k : 2", "2:1: key 'a' stands twice"),
    "a merge key": ("a: &a {x: 1}\nb:\n  <<: *a", "3:3: merge keys are not part of the language"),
    "a key that is a number": ("1: a", "1:1: a key must be text, found 1"),
    "a key that is a list": ("? [a]\n: 1", "1:3: a key must be text, found ['a']"),
    "infinity": ("a: .inf", "1:4: .inf is not a usable number"),
    "not a number": ("a: .nan", "1:4: .nan is not a usable number"),
    "an overflow": ("a: 1e999", "1:4: 1e999 is too large for a number"),
    "two documents": ("a: 1\n---\nb: 2", "2:1: a second document; a suite is one"),
    "a broken quote": ("a: 'x", "not YAML: found unexpected end of stream while scanning a quoted scalar"),
    "a tab": ("a:\n\t- 1", "not YAML: found character '\\t' that cannot start any token"),
    "a control character": ("a: \x07", "not YAML: "),
    "a lone surrogate": ("a: \ud800", "not YAML: "),
    "another YAML": ("%YAML 9.9\n---\na: 1", "not YAML: "),
    "a bad escape": ('a: "\\q"', "not YAML: "),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_in_a_message(name: str) -> None:
    text, message = HOSTILE[name]
    with pytest.raises(SuiteError) as caught:
        parse(text, "t.yaml")
    assert str(caught.value).startswith("t.yaml:")
    assert message in str(caught.value)


@pytest.mark.parametrize("text", [f"a: {'9' * 10_000}", "\ufeffa: 1", "", "# nothing", "---"])
def test_an_odd_file_is_read(text: str) -> None:
    parse(text, "t.yaml")


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_gives_a_tree_or_a_message(text: str) -> None:
    with contextlib.suppress(SuiteError):
        parse(text, "t")


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
    | st.sampled_from(["no", "1e5", "0x1f", "1_000", "~", "null", "True", "- a", "a: b", "#", "1:30", "\n", "a\nb\n"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc.-", min_size=1, max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(values)
def test_what_is_dumped_is_read_back(value: Any) -> None:
    found = parse(dump({"key": value}), "t").plain["key"]
    assert _same(found, value)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) or isinstance(b, float):
        return type(a) is type(b) and math.isclose(a, b, rel_tol=0, abs_tol=0)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and a == b
