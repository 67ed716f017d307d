"""One row of a suite: a method or a preset of baselines/, its parameters, and the points of its sweep."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.methods.method import Method
from harness.options import OptionError, build, check, nearest, options_of
from harness.suite.catalogue import baseline_names, registry
from harness.suite.errors import unknown
from harness.suite.schema import ROLE_OF, ROLES, RowEntry

if TYPE_CHECKING:
    from harness.suite.checking import _Checker

Path = tuple[str | int, ...]
MAX_POINTS = 10_000  # of one sweep


@dataclass(frozen=True)
class Point:
    """One cell's method: the swept values (empty without a sweep), the label tables print, the data roles it reads."""

    values: Mapping[str, Any]
    label: str
    method: Method
    reads: tuple[str, ...]


@dataclass(frozen=True)
class LoadedRow:
    """A row with every point built."""

    label: str
    role: str
    points: tuple[Point, ...]
    against: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(p.label for p in self.points)


def point_label(label: str, values: Mapping[str, Any]) -> str:
    """The row's label with the swept values: `spell radius_quantile=0.3`."""
    return " ".join([label, *(f"{k}={_short(v)}" for k, v in values.items())])


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "(" + ",".join(_short(v) for v in value) + ")"
    return str(value).lower() if isinstance(value, bool) else str(value)


def reads_of(method: Method) -> dict[str, str]:
    """Option → data role, for the options of a method whose value names a set of the suite's `data` section.

    A method states them as the class attribute `reads`; without it, options that bear the name of a role count.
    """
    names = getattr(type(method), "reads", None)
    if names is None:
        names = tuple(o.name for o in options_of(type(method)) if o.name in ROLES)
    return {name: value for name in names if isinstance(value := getattr(method, name), str)}


class RowChecker:
    """Checks rows one by one, adding problems to the suite's checker."""

    def __init__(self, checker: _Checker, task: Any, roles: tuple[str, ...]) -> None:
        self.checker, self.task, self.roles = checker, task, roles

    def row(self, section: str, path: Path, entry: RowEntry) -> LoadedRow | None:
        """The built row, or None with its problems said."""
        before = len(self.checker.problems)
        if (found := self._method(section, path, entry)) is None:
            return None
        cls, preset = found
        self._kind(cls, path)
        params = {**preset, **entry.params}
        what = f"method {cls.name!r}"
        self._parameters(cls, params, entry, path, what)
        if len(self.checker.problems) > before:
            return None
        points = self._points(cls, params, entry, path, what)
        return LoadedRow(entry.label, ROLE_OF[section], tuple(points), entry.against) if points else None

    def _method(self, section: str, path: Path, entry: RowEntry) -> tuple[type[Method], dict[str, Any]] | None:
        """The class and the preset's parameters. Methods look among the methods first, the others among the presets."""
        methods = registry("method")
        is_method, is_preset = entry.name in methods, entry.name in baseline_names()
        if is_preset and not (section == "methods" and is_method):
            return self._preset(path, entry.name)
        if is_method:
            found = self.checker.resolve("method", entry.name, path)
            return (found.thing, {}) if found else None
        node = self.checker.tree.find(path)
        mark = node.find(("name",)).mark if isinstance(node.value, dict) else node.mark
        known = [*methods.names(), *baseline_names()]
        self.checker.problems.append(unknown(mark, ROLE_OF[section], entry.name, known))
        return None

    def _preset(self, path: Path, name: str) -> tuple[type[Method], dict[str, Any]] | None:
        from harness.methods.baseline import load_baseline

        try:
            preset = load_baseline(name)
        except (ValueError, KeyError, OSError) as error:
            self.checker.add(path, f"baseline {name!r} cannot be read: {error}")
            return None
        found = self.checker.resolve("method", preset.method, path)
        return (found.thing, dict(preset.params)) if found else None

    def _kind(self, cls: type[Method], path: Path) -> None:
        kinds = getattr(type(self.task), "kinds", None) if self.task is not None else None
        if kinds is not None and cls.kind not in kinds:
            taken = ", ".join(sorted(k.value for k in kinds))
            message = f"method {cls.name!r} is of kind {cls.kind.value}; task {self.task.name!r} takes {taken}"
            self.checker.add(path, message)

    def _parameters(self, cls: type[Method], params: Mapping[str, Any], entry: RowEntry, path: Path, what: str) -> None:
        """Problems of the fixed parameters, then of every swept value."""
        known = [o.name for o in options_of(cls)]
        swept = {k: v for k, v in entry.sweep.items() if k in known}
        for name in entry.sweep:
            if name not in known:
                message = f"{what}: sweep of unknown parameter {name!r}"
                self.checker.add((*path, "sweep", name), message, nearest(name, known), key=True)
        first = {name: values[0] for name, values in swept.items()}
        for problem in check(cls, {**params, **first})[1]:
            if not problem.path or problem.path[0] not in swept:
                self.checker.option_problem(path, what, problem)
        for name, values in swept.items():
            for index, value in enumerate(values):
                for problem in check(cls, {**params, name: value})[1]:
                    if problem.path[:1] == (name,):
                        at = (*path, "sweep", name, index, *problem.path[1:])
                        self.checker.add(at, f"{what}: {name}: {problem.message}", problem.suggestions)
                if value in values[:index]:
                    self.checker.add((*path, "sweep", name, index), f"sweep of {name!r}: {value!r} stands twice")

    def _points(
        self, cls: type[Method], params: Mapping[str, Any], entry: RowEntry, path: Path, what: str
    ) -> list[Point]:
        sizes = [len(values) for values in entry.sweep.values()]
        if (count := _product(sizes)) > MAX_POINTS:
            self.checker.add((*path, "sweep"), f"{count} points; a sweep has at most {MAX_POINTS}", key=True)
            return []
        points = []
        for values in itertools.product(*entry.sweep.values()):
            chosen = dict(zip(entry.sweep, values, strict=True))
            try:
                method = build(cls, {**params, **chosen})
            except (OptionError, ValueError, TypeError) as error:
                where = f" at {point_label('', chosen).strip()}" if chosen else ""
                self.checker.add(path, f"{what}{where}: {error}")
                return []
            refuses = getattr(self.task, "refuses", None)
            if refuses is not None and (reason := refuses(method)):
                self.checker.add(path, reason)
                return []
            reads = reads_of(method)
            for option, role in reads.items():
                if role not in self.roles:
                    message = f"{what}: {option} names the data role {role!r}, which is not in the `data` section"
                    self.checker.add((*path, option), message, nearest(role, self.roles))
            points.append(Point(chosen, point_label(entry.label, chosen), method, tuple(dict.fromkeys(reads.values()))))
        return points


def _product(sizes: list[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total
