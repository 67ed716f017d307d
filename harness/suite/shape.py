"""The tree of a suite against its schema: keys and types, before any name is looked up."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from harness.options import nearest
from harness.suite.document import Node
from harness.suite.errors import Located
from harness.suite.schema import Suite

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a name, or a mapping with `name` and parameters",
    "model_attributes_type": "a name, or a mapping with `name` and parameters",
}
_NAME = "a suite's name starts with a letter or digit and holds letters, digits, dots, dashes and underscores"


def shape(tree: Node) -> tuple[Suite | None, list[Located]]:
    """The typed suite, or None and every problem of its shape."""
    if not isinstance(tree.value, dict):
        return None, [
            Located(tree.mark, f"a suite is a mapping that starts with `suite: NAME`, found {found(tree.plain)}")
        ]
    try:
        return Suite.model_validate(tree.plain), []
    except ValidationError as error:
        return None, [_located(tree, wrong) for wrong in error.errors()]


def found(value: Any) -> str:
    """What stands there, short enough for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _located(tree: Node, wrong: ErrorDetails) -> Located:
    path, kind = wrong["loc"], wrong["type"]
    node = tree.find(path)
    if kind == "extra_forbidden":
        return Located(node.key or node.mark, f"unknown key {path[-1]!r}", nearest(str(path[-1]), Suite.model_fields))
    if kind == "missing":
        return Located(node.mark, f"missing key {path[-1]!r}")
    if kind in _EXPECTED:
        return Located(node.mark, f"{_key(path)}: expected {_EXPECTED[kind]}, found {found(node.plain)}")
    if kind == "literal_error":
        known = [word.strip("' ") for word in wrong["ctx"]["expected"].split(" or ")]
        return Located(
            node.mark, f"{_key(path)}: expected {wrong['ctx']['expected']}, found {found(node.plain)}",
            nearest(str(node.plain), known),
        )  # fmt: skip
    if kind == "string_pattern_mismatch":
        return Located(node.mark, f"{_NAME}, found {found(node.plain)}")
    if kind in {"too_short", "string_too_short"}:
        return Located(node.mark, f"{_key(path)}: must not be empty")
    message = wrong["msg"].removeprefix("Input ")
    return Located(node.mark, f"{_key(path)}: {message[0].lower()}{message[1:]}, found {found(node.plain)}")


def _key(path: tuple[str | int, ...]) -> str:
    return ".".join(str(p) for p in path) or "the suite"
