"""Names to things: lazy, closed against collisions, with near names for the mistyped, open to plug-ins.

A registry maps a name to "module:attribute" and imports on first use. Names may hold placeholders (`fd.{extractor}`),
which bind fields of the component. Built-ins are listed in the room's `__init__.py`; plug-ins come by the entry-point
group `harness.<kind>s` and are imported only when something names them.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from harness.options import nearest

T = TypeVar("T")


class UnknownName(KeyError):
    """A name that is in no registry; carries the nearest known names."""

    def __init__(self, kind: str, name: str, suggestions: tuple[str, ...]) -> None:
        self.kind, self.name, self.suggestions = kind, name, suggestions
        hint = f"; did you mean {' or '.join(repr(s) for s in suggestions)}?" if suggestions else ""
        self.message = f"unknown {kind} {name!r}{hint}"
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class BrokenEntry(ImportError):
    """A registered name whose module or attribute cannot be loaded, or is not what the registry holds."""


@dataclass(frozen=True)
class Resolved(Generic[T]):
    """What a name stands for: the thing, and the fields that the name's placeholders bind."""

    name: str
    pattern: str
    thing: T
    bound: Mapping[str, str]


@dataclass
class Registry(Generic[T]):
    """kind: what it holds, singular. entries: name → "module:attribute". values: known values of each placeholder;
    shipped: those of them that need nothing of the user's or of plug-ins, where they differ."""

    kind: str
    entries: Mapping[str, str]
    base: Callable[[], type] | None = None
    values: Mapping[str, Callable[[], Iterable[str]]] = field(default_factory=dict)
    shipped: Mapping[str, Callable[[], Iterable[str]]] = field(default_factory=dict)

    @property
    def group(self) -> str:
        return f"harness.{self.kind}" if self.kind == "data" else f"harness.{self.kind}s"

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for point in entry_points(group=self.group):
            other = self.entries.get(point.name) or (found[point.name].value if point.name in found else None)
            if other is not None:
                raise BrokenEntry(f"{self.kind} {point.name!r} is registered twice: {other} and {point.value}")
            found[point.name] = point
        return found

    def patterns(self) -> tuple[str, ...]:
        """Registered names as written, placeholders and all, built-ins first."""
        return (*self.entries, *self._plugins)

    def names(self) -> tuple[str, ...]:
        """All names that can be written in a suite, placeholders filled with their known values."""
        result: list[str] = []
        for pattern in self.patterns():
            result.extend(_fill(pattern, self.values))
        return tuple(result)

    def __contains__(self, name: str) -> bool:
        return self._match(name) is not None

    def _match(self, name: str) -> tuple[str, dict[str, str]] | None:
        if name in self.entries or name in self._plugins:
            return name, {}
        for pattern in self.patterns():
            if "{" not in pattern:
                continue
            regex = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^.]+)", re.escape(pattern))
            if (hit := re.fullmatch(regex, name)) is None:
                continue
            bound = hit.groupdict()
            if all(v in set(self.values[k]()) for k, v in bound.items() if k in self.values):
                return pattern, bound
        return None

    def resolve(self, name: str) -> Resolved[T]:
        """The thing behind `name`. Raises UnknownName, or BrokenEntry when its module cannot be loaded."""
        hit = self._match(name)
        if hit is None:
            raise UnknownName(self.kind, name, nearest(name, self.names()))
        pattern, bound = hit
        try:
            if pattern in self.entries:
                module, _, attribute = self.entries[pattern].partition(":")
                thing = getattr(importlib.import_module(module), attribute)
            else:
                thing = self._plugins[pattern].load()
        except Exception as error:
            origin = self.entries.get(pattern) or self._plugins[pattern].value
            raise BrokenEntry(f"{self.kind} {name!r} ({origin}) cannot be loaded: {error}") from error
        if self.base is not None and not (isinstance(thing, type) and issubclass(thing, self.base())):
            raise BrokenEntry(f"{self.kind} {name!r} is not a {self.base().__name__}: {thing!r}")
        return Resolved(name, pattern, thing, bound)

    def get(self, name: str) -> T:
        """The thing behind `name`, without the fields that its placeholders bind."""
        return self.resolve(name).thing


def _fill(pattern: str, values: Mapping[str, Callable[[], Iterable[str]]]) -> list[str]:
    hit = re.search(r"\{(\w+)\}", pattern)
    if hit is None or hit[1] not in values:
        return [pattern]
    return [full for v in values[hit[1]]() for full in _fill(pattern.replace(hit[0], v, 1), values)]


def summary(thing: Any) -> str:
    """One line about a component, for `harness list`: of its class where a file holds a family (metrics), else of its
    module."""
    text = thing.__doc__ if getattr(thing, "registered", "") else importlib.import_module(thing.__module__).__doc__
    return (text or "").strip().split("\n")[0]
