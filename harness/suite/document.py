"""YAML text to a tree of values that know where they stand. Suites are data: no tags, bounded size, depth and aliases.

Scalars follow the core schema of YAML 1.2 (`no` is text, `1e-5` is a number). Refused, each with its place: a key twice
in a mapping, tags, merge keys, keys that are not text, not-a-number, more than one document.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from harness.suite.errors import Located, Mark, Source, SuiteError

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 32
MAX_NODES = 100_000  # after aliases are followed
MAX_OPEN = 500  # brackets before they are understood: the scanner's time grows with their square

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Node:
    """A value with its place.

    value   a scalar, a list of nodes or a mapping of nodes
    key     the place of its key, for values of a mapping
    size    nodes in it, itself included; height: levels below it
    """

    value: Scalar | list[Node] | dict[str, Node]
    mark: Mark
    key: Mark | None = None
    size: int = field(default=1, compare=False)
    height: int = field(default=0, compare=False)

    @property
    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {k: v.plain for k, v in self.value.items()}
        return [v.plain for v in self.value] if isinstance(self.value, list) else self.value

    def find(self, path: tuple[str | int, ...]) -> Node:
        """The node at `path`, or the deepest one on the way to it that exists."""
        node = self
        for part in path:
            inner = node.child(part)
            if inner is None:
                return node
            node = inner
        return node

    def child(self, part: str | int) -> Node | None:
        if isinstance(self.value, dict):
            return self.value.get(str(part))
        if isinstance(self.value, list) and isinstance(part, int) and 0 <= part < len(self.value):
            return self.value[part]
        return None


def from_plain(value: Any, mark: Mark, key: Mark | None = None) -> Node:
    """A tree of plain values, all of whose nodes stand at `mark`."""
    if isinstance(value, dict):
        return Node({str(k): from_plain(v, mark, mark) for k, v in value.items()}, mark, key)
    if isinstance(value, list | tuple):
        return Node([from_plain(v, mark) for v in value], mark, key)
    return Node(value, mark, key)


def scalar(text: str) -> Scalar:
    """The value of an unquoted scalar. Raises ValueError for infinities and not-a-number."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text) if len(text) < 100 else text
    if _FLOAT.fullmatch(text):
        if not math.isfinite(number := float(text)):
            raise ValueError(f"{text} is too large for a number")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a usable number")
    return text


def parse(text: str, name: str, *, is_file: bool = True) -> Node:
    """The tree of one YAML document. Raises SuiteError; `name` is what messages call the source."""
    source = Source(name, tuple(text.splitlines()) if is_file else (text,), is_file)
    if len(text) > MAX_CHARACTERS:
        raise SuiteError([Located(Mark(source), f"{len(text)} characters; a suite has at most {MAX_CHARACTERS}")])
    if _open_brackets(text) > MAX_OPEN:
        raise SuiteError([Located(Mark(source), f"more than {MAX_OPEN} brackets open at once")])
    return _Composer(source, text).document()


def _extent(nodes: Collection[Node]) -> tuple[int, int]:
    sizes, heights = zip(*((n.size, n.height) for n in nodes), strict=True) if nodes else ((), ())
    return 1 + sum(sizes), 1 + max(heights, default=0)


def _open_brackets(text: str) -> int:
    """Most brackets open at once, quotes not looked at."""
    deepest = depth = 0
    for found in re.finditer(r"[\[{\]}]", text):
        depth = depth + 1 if found[0] in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


class _Composer:
    """Builds nodes from parser events; problems that leave the tree readable are collected, the others end it."""

    def __init__(self, source: Source, text: str) -> None:
        self.source, self.text = source, text
        self.anchors: dict[str, Node] = {}
        self.problems: list[Located] = []
        self.nodes = 0

    def document(self) -> Node:
        try:
            events = iter(YAML(typ="safe", pure=True).parse(self.text))
            node = self._document(events)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Mark(self.source, mark.line + 1, mark.column + 1) if mark else Mark(self.source)
            context = f" {error.context}" if error.context else ""
            self._stop(place, f"not YAML: {error.problem or error}{context}")
        except YAMLError as error:
            self._stop(Mark(self.source), f"not YAML: {' '.join(str(error).split())}")
        except RecursionError:
            self._stop(Mark(self.source), f"nested deeper than {MAX_DEPTH} levels")
        if self.problems:
            raise SuiteError(self.problems)
        return node

    def _stop(self, mark: Mark, message: str) -> None:
        raise SuiteError([*self.problems, Located(mark, message)])

    def _mark(self, event: Event) -> Mark:
        return Mark(self.source, event.start_mark.line + 1, event.start_mark.column + 1)

    def _document(self, events: Iterator[Event]) -> Node:
        node: Node | None = None
        for event in events:
            if isinstance(event, StreamStartEvent | DocumentEndEvent):
                continue
            if isinstance(event, DocumentStartEvent):
                if node is not None:
                    self._stop(self._mark(event), "a second document; a suite is one")
                node = self._node(next(events), events, None, 0)
            if isinstance(event, StreamEndEvent):
                break
        return node or Node(None, Mark(self.source))

    def _node(self, event: Event, events: Iterator[Event], key: Mark | None, depth: int) -> Node:
        mark = self._mark(event)
        if depth > MAX_DEPTH:
            self._stop(mark, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, AliasEvent):
            return self._alias(event, mark, key, depth)
        if (tag := getattr(event, "tag", None)) is not None:
            self.problems.append(Located(mark, f"tags are not allowed: {tag}"))
        if isinstance(event, MappingStartEvent):
            node = self._mapping(events, mark, key, depth)
        elif isinstance(event, SequenceStartEvent):
            node = self._sequence(events, mark, key, depth)
        else:
            assert isinstance(event, ScalarEvent)
            node = self._scalar(event, mark, key)
        self._count(1, mark)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _count(self, size: int, mark: Mark) -> None:
        self.nodes += size
        if self.nodes > MAX_NODES:
            self._stop(mark, f"more than {MAX_NODES} values once aliases are followed")

    def _alias(self, event: AliasEvent, mark: Mark, key: Mark | None, depth: int) -> Node:
        if event.anchor not in self.anchors:
            self.problems.append(Located(mark, f"alias *{event.anchor} stands for nothing before it"))
            return Node(None, mark, key)
        target = self.anchors[event.anchor]
        self._count(target.size, mark)
        if depth + target.height > MAX_DEPTH:
            self._stop(mark, f"nested deeper than {MAX_DEPTH} levels")
        return Node(target.value, target.mark, key, target.size, target.height)

    def _scalar(self, event: ScalarEvent, mark: Mark, key: Mark | None) -> Node:
        value: Scalar = event.value
        if event.implicit[0]:
            try:
                value = scalar(event.value)
            except ValueError as error:
                self.problems.append(Located(mark, str(error)))
        return Node(value, mark, key)

    def _sequence(self, events: Iterator[Event], mark: Mark, key: Mark | None, depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            items.append(self._node(event, events, None, depth + 1))
        return Node(items, mark, key, *_extent(items))

    def _mapping(self, events: Iterator[Event], mark: Mark, key: Mark | None, depth: int) -> Node:
        inside: dict[str, Node] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            place = self._mark(event)
            name = self._key(event, events, place, depth)
            node = self._node(next(events), events, place, depth + 1)
            if name in inside:
                first = inside[name].key or mark
                message = f"key {name!r} stands twice in one mapping, first in line {first.line}"
                self.problems.append(Located(place, message))
            elif name is not None:
                inside[name] = node
        return Node(inside, mark, key, *_extent(inside.values()))

    def _key(self, event: Event, events: Iterator[Event], mark: Mark, depth: int) -> str | None:
        node = self._node(event, events, None, depth + 1)
        if isinstance(event, ScalarEvent) and event.implicit[0] and event.value == "<<":
            self.problems.append(Located(mark, "merge keys are not part of the language; write `extends:` or an alias"))
            return None
        if not isinstance(node.value, str):
            self.problems.append(Located(mark, f"a key must be text, found {node.plain!r}"))
            return None
        return node.value
