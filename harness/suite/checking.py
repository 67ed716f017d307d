"""A suite's names against the registries, its parameters against the components, its metrics against task and data.

Works on the tree, entry by entry, so that one malformed entry hides no problem of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.data.image_set import ImageSet
from harness.metrics import AMBIGUOUS
from harness.metrics.metric import Metric, Need
from harness.models.model import Model
from harness.options import OptionError, Problem, build, check, nearest
from harness.registry import BrokenEntry, UnknownName
from harness.suite.catalogue import registry
from harness.suite.document import Node
from harness.suite.errors import Located, unknown
from harness.suite.rows import LoadedRow, RowChecker
from harness.suite.schema import ROLES, Entry, MetricEntry, RowEntry, Suite
from harness.tasks.task import Task

ANY = "*"  # in `feeds`: every role of a kind
DATA_KINDS = frozenset({"images", "features", "predictions"})  # what a metric can have of any image set
E_ = TypeVar("E_", bound=Entry)
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class LoadedSuite:
    """A suite whose every component exists and is built. `task.items()` and `model.weights()` have not been asked."""

    suite: Suite
    tree: Node
    task: Task
    model: Model
    image_sets: Mapping[str, ImageSet]
    rows: tuple[LoadedRow, ...]
    metrics: tuple[Metric, ...]
    primary: tuple[str, ...]
    compare_to: str | None


def check_suite(tree: Node, suite: Suite | None) -> tuple[LoadedSuite | None, list[Located]]:
    """The built suite (None without a well-shaped `suite`) and every problem of names, parameters and fit."""
    checker = _Checker(tree)
    parts = checker.run()
    if suite is None or checker.problems or parts is None:
        return None, checker.problems
    return parts(suite), checker.problems


@dataclass
class _Checker:
    tree: Node
    problems: list[Located] = field(default_factory=list)

    def run(self) -> Any:
        task, model = self._component("task"), self._component("model")
        image_sets = self._image_sets()
        self._content(task)
        rows = self._rows(task, image_sets)
        metrics, primary = self._metrics(task, image_sets)
        compare_to = self._compare_to(rows)
        self._seeds()

        def finish(suite: Suite) -> LoadedSuite:
            return LoadedSuite(suite, self.tree, task, model, image_sets, tuple(rows), metrics, primary, compare_to)

        return finish

    # --- places -------------------------------------------------------------------------------------------------------

    def add(self, path: Path, message: str, suggestions: tuple[str, ...] = (), *, key: bool = False) -> None:
        node = self.tree.find(path)
        self.problems.append(Located((node.key or node.mark) if key else node.mark, message, suggestions))

    def option_problem(self, path: Path, what: str, problem: Problem) -> None:
        """A problem of a component's parameters, at its key when the name is wrong and at its value otherwise."""
        self.add(
            (*path, *problem.path),
            f"{what}: {problem.message}",
            problem.suggestions,
            key=problem.message.startswith("unknown parameter"),
        )

    def _entry(self, path: Path, cls: type[E_]) -> E_ | None:
        value = self.tree.find(path).plain
        try:
            return cls.model_validate({"name": value} if isinstance(value, str) else value)
        except ValidationError:
            return None  # said by the shape

    def _children(self, key: str) -> Iterator[str | int]:
        node = self.tree.child(key)
        if node is not None and isinstance(node.value, dict):
            yield from node.value
        elif node is not None and isinstance(node.value, list):
            yield from range(len(node.value))

    # --- components ---------------------------------------------------------------------------------------------------

    def resolve(self, kind: str, name: str, path: Path, what: str = "") -> Any:
        """The registered thing, or None with a problem said at the name."""
        at = self._name_path(path)
        try:
            return registry(kind).resolve(name)
        except UnknownName as error:
            meanings = AMBIGUOUS.get(name.lower()) if kind == "metric" else None
            if meanings is not None:
                self.add(at, f"a bare {name!r} does not exist: it may mean {meanings}")
            else:
                self.add(at, f"unknown {what or kind} {name!r}", error.suggestions)
        except BrokenEntry as error:
            self.add(at, str(error))
        return None

    def _name_path(self, path: Path) -> Path:
        return (*path, "name") if isinstance(self.tree.find(path).value, dict) else path

    def built(self, cls: type, params: Mapping[str, Any], path: Path, what: str, bound: Mapping[str, Any]) -> Any:
        _, problems = check(cls, params, bound=bound)
        for problem in problems:
            self.option_problem(path, what, problem)
        if problems:
            return None
        try:
            return build(cls, params, **bound)
        except (OptionError, ValueError, TypeError) as error:
            self.add(path, f"{what}: {error}")
        return None

    def _component(self, kind: str, path: Path | None = None) -> Any:
        path = path or (kind,)
        if self.tree.child(path[0]) is None or (entry := self._entry(path, Entry)) is None:
            return None
        if (found := self.resolve(kind, entry.name, path, "data set" if kind == "data" else "")) is None:
            return None
        what = f"{'data set' if kind == 'data' else kind} {entry.name!r}"
        return self.built(found.thing, entry.params, path, what, found.bound)

    def _image_sets(self) -> dict[str, ImageSet]:
        sets = {}
        for role in self._children("data"):
            if role not in ROLES:
                message = f"unknown data role {role!r} (one of {', '.join(ROLES)})"
                self.add(("data", role), message, nearest(str(role), ROLES), key=True)
            sets[str(role)] = self._component("data", ("data", role))
        return sets

    def _content(self, task: Any) -> None:
        """What the task reads from outside: prompts exist and the items can be laid out."""
        if task is None:
            return
        try:
            task.texts()
            task.items()
            task.shards()
            if (tune := getattr(task, "tune_texts", None)) is not None:
                tune()
        except UnknownName as error:
            named = [k for k, v in self.tree.find(("task",)).plain.items() if v == error.name] if (
                isinstance(self.tree.find(("task",)).value, dict)
            ) else []  # fmt: skip
            self.add(("task", *named[:1]), f"unknown {error.kind} {error.name!r}", error.suggestions)
        except (ValueError, OSError) as error:
            self.add(("task",), f"task {task.name!r}: {error}")
        if name := getattr(task, "judge", ""):
            self._judge(name, ("task", "judge"), f"task {task.name!r}")

    def _judge(self, name: str, path: Path, what: str) -> None:
        """A judge that is named exists and its options are right; its weights are looked for when it is asked."""
        from harness.models import judges

        try:
            judges.find(name)
        except UnknownName as error:
            self.add(path, f"{what}: unknown judge {name!r}", error.suggestions)
        except (ValueError, BrokenEntry) as error:
            self.add(path, f"{what}: judge {name!r}: {error}")

    # --- rows ---------------------------------------------------------------------------------------------------------

    def _rows(self, task: Any, image_sets: Mapping[str, Any]) -> list[LoadedRow]:
        rows: list[LoadedRow] = []
        checker = RowChecker(self, task, tuple(image_sets))
        labels: dict[str, str] = {}
        for section in ("baselines", "methods", "controls"):
            for index in self._children(section):
                path = (section, index)
                if (entry := self._entry(path, RowEntry)) is None:
                    continue
                if entry.label in labels:
                    message = f"a second row called {entry.label!r} (the first is {labels[entry.label]})"
                    self.add(path, f"{message}; give one of them another label with `as:`")
                labels.setdefault(entry.label, f"{section}.{index}")
                if (row := checker.row(section, path, entry)) is not None:
                    rows.append(row)
        if not any(self.tree.child(s) for s in ("baselines", "methods", "controls")):
            self.add((), "no rows: name at least one of methods, baselines, controls")
        return rows

    def _against(self, rows: list[LoadedRow], complete: bool) -> None:
        """Rows that others are also compared with exist."""
        labels = [label for row in rows for label in row.labels]
        for section in ("baselines", "methods", "controls"):
            for index in self._children(section):
                node = self.tree.find((section, index)).child("against")
                if node is not None and isinstance(node.value, str) and node.value not in labels and complete:
                    self.problems.append(unknown(node.mark, "row", node.value, labels))

    def _compare_to(self, rows: list[LoadedRow]) -> str | None:
        labels = [label for row in rows for label in row.labels]
        complete = sum(1 for s in ("baselines", "methods", "controls") for _ in self._children(s)) == len(rows)
        self._against(rows, complete)
        node = self.tree.child("compare_to")
        if node is None or node.value is None:
            return next((label for row in rows if row.role == "baseline" for label in row.labels), None)
        if not isinstance(node.value, str):
            return None
        if node.value not in labels and complete:
            self.problems.append(unknown(node.mark, "row", node.value, labels))
        return node.value

    def _seeds(self) -> None:
        seen: dict[Any, int] = {}
        for index in self._children("seeds"):
            value = self.tree.find(("seeds", index)).value
            if isinstance(value, int) and value in seen:
                self.add(("seeds", index), f"seed {value} stands twice")
            elif isinstance(value, int):
                seen[value] = int(index)

    # --- metrics ------------------------------------------------------------------------------------------------------

    def _metrics(self, task: Any, image_sets: Mapping[str, Any]) -> tuple[tuple[Metric, ...], tuple[str, ...]]:
        metrics: list[Metric] = []
        flagged: list[str] = []
        complete = True
        for index in self._children("metrics"):
            path: Path = ("metrics", index)
            entry = self._entry(path, MetricEntry)
            for name in () if entry is None else alternatives(entry.name):
                found, what = self.resolve("metric", name, path), f"metric {name!r}"
                made = self.built(found.thing, entry.params, path, what, found.bound) if entry and found else None
                if made is None or entry is None:
                    complete = False
                    continue
                self._fed(made, path, task, image_sets)
                if made in metrics:
                    self.add(path, f"{what} stands twice with the same parameters")
                metrics.append(made)
                flagged += [name] if entry.primary else []
            complete = complete and entry is not None
        return tuple(metrics), self._primary(metrics, flagged, complete)

    def _primary(self, metrics: list[Metric], flagged: list[str], complete: bool) -> tuple[str, ...]:
        names = [m.name for m in metrics]
        chosen = list(flagged)
        for index in self._children("primary"):
            node = self.tree.find(("primary", index))
            for name in alternatives(str(node.value)):
                if isinstance(node.value, str) and name not in names and complete:
                    self.problems.append(
                        Located(node.mark, f"primary: {name!r} is not among the metrics", nearest(name, names))
                    )
                chosen.append(name)
        return tuple(dict.fromkeys(chosen or names))

    def _fed(self, metric: Metric, path: Path, task: Any, image_sets: Mapping[str, Any]) -> None:
        for need in metric.needs():
            if need.kind == "judged":
                self._judge(need.name, self._name_path(path), f"metric {metric.name!r}")
            if task is not None and (reason := _unfed(need, task, image_sets)):
                self.add(self._name_path(path), f"metric {metric.name!r} {reason}")


def alternatives(name: str) -> tuple[str, ...]:
    """The names that a name with one pair of braces stands for: `ver.leak.{a,b}` is `ver.leak.a` and `ver.leak.b`."""
    before, brace, rest = name.partition("{")
    inside, end, after = rest.partition("}")
    if not brace or not end:
        return (name,)
    return tuple(f"{before}{part.strip()}{after}" for part in inside.split(","))


def _unfed(need: Need, task: Task, image_sets: Mapping[str, Any]) -> str:
    """Why the task and the data cannot bring what a metric needs; "" when they can."""
    feeds = task.feeds()
    if (need.kind, need.role) in feeds or (need.kind, ANY) in feeds:
        return ""
    if need.role in ROLES and need.kind in DATA_KINDS:
        if need.role in image_sets:
            return ""
        return f"compares with the data role {need.role!r}, which is not in the suite's `data` section"
    kinds = sorted({kind for kind, role in feeds if role == need.role and kind})
    has = f"; of {need.role} items it has {', '.join(kinds)}" if kinds else ""
    return f"needs {need.kind!r} of {need.role} items, which task {task.name!r} cannot feed{has}"
