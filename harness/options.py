"""Declared parameters: the typed fields of a component are its YAML, its `describe` page and its identity.

A component (method, metric, task, model adapter) is a frozen dataclass whose fields are made with `option`. `build`
checks a mapping against the fields and reports every problem at once; `params_of` gives the full parameters, defaults
included, in the form that enters addresses and metric ids.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass
from enum import Enum
from typing import Any

_META = "harness"


@dataclass(frozen=True)
class Option:
    """One declared parameter, as `harness describe` prints it."""

    name: str
    type: str
    default: Any  # dataclasses.MISSING when required
    unit: str
    help: str
    source: str
    bounds: str
    in_id: bool

    @property
    def required(self) -> bool:
        return self.default is MISSING


@dataclass(frozen=True)
class Problem:
    """One thing wrong with given parameters: where (path of keys), what, and the nearest valid names."""

    path: tuple[str | int, ...]
    message: str
    suggestions: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = ".".join(str(part) for part in self.path)
        hint = f"; did you mean {' or '.join(repr(s) for s in self.suggestions)}?" if self.suggestions else ""
        return f"{where}: {self.message}{hint}" if where else f"{self.message}{hint}"


class OptionError(ValueError):
    """Parameters that do not fit a component; `problems` lists all of them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


def option(
    default: Any = MISSING,
    *,
    help: str = "",
    unit: str = "",
    source: str = "",
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    in_id: bool = True,
    factory: Any = MISSING,
) -> Any:
    """A dataclass field with unit, help, source of its default and bounds. Without a default it is required."""
    bounds = {"above": above, "at_least": at_least, "below": below, "at_most": at_most}
    meta = {"help": help, "unit": unit, "source": source, "in_id": in_id}
    meta["bounds"] = {k: v for k, v in bounds.items() if v is not None}
    if factory is not MISSING:
        return dataclasses.field(default_factory=factory, metadata={_META: meta})
    return dataclasses.field(default=default, metadata={_META: meta})


def nearest(name: str, known: Iterable[str], count: int = 1) -> tuple[str, ...]:
    """The `count` known names closest to `name`, best first; empty when none is close."""
    return tuple(difflib.get_close_matches(name, list(known), n=count, cutoff=0.55))


def options_of(cls: type) -> tuple[Option, ...]:
    """The declared parameters of a component class, in field order."""
    result = []
    for field in dataclasses.fields(cls):
        meta = field.metadata.get(_META)
        if meta is None or not field.init:
            continue
        default = field.default if field.default_factory is MISSING else field.default_factory()
        bounds = ", ".join(f"{k.replace('_', ' ')} {v:g}" for k, v in meta["bounds"].items())
        kind = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
        result.append(
            Option(field.name, kind, default, meta["unit"], meta["help"], meta["source"], bounds, meta["in_id"])
        )
    return tuple(result)


def hints_of(cls: type) -> dict[str, Any]:
    """Types of the declared parameters; other annotations may name what only type checkers import."""
    declared = {f.name for f in dataclasses.fields(cls) if f.metadata.get(_META) is not None and f.init}
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        own = {k: v for k, v in inspect.get_annotations(base).items() if k in declared}
        if own:
            names = vars(sys.modules[base.__module__])
            hints |= typing.get_type_hints(types.SimpleNamespace(__annotations__=own), globalns=names)
    return hints


def _outside(value: Any, bounds: Mapping[str, float]) -> str:
    values = value if isinstance(value, tuple | list) else (value,)
    for v in values:
        if isinstance(v, bool) or not isinstance(v, int | float):
            continue
        if "above" in bounds and not v > bounds["above"]:
            return f"must be above {bounds['above']:g}, found {v!r}"
        if "at_least" in bounds and not v >= bounds["at_least"]:
            return f"must be at least {bounds['at_least']:g}, found {v!r}"
        if "below" in bounds and not v < bounds["below"]:
            return f"must be below {bounds['below']:g}, found {v!r}"
        if "at_most" in bounds and not v <= bounds["at_most"]:
            return f"must be at most {bounds['at_most']:g}, found {v!r}"
    return ""


def check(cls: type, params: Mapping[str, Any], *, bound: Iterable[str] = ()) -> tuple[dict[str, Any], list[Problem]]:
    """Typed values for `cls` and every problem found: unknown names, missing ones, wrong types, values out of bounds.

    bound: names set elsewhere (for example by a dotted metric name), neither allowed in `params` nor required.
    """
    from pydantic import TypeAdapter, ValidationError

    hints = hints_of(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.metadata.get(_META) is not None and f.init}
    fixed = set(bound)
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in params:
        if name not in fields or name in fixed:
            known = sorted(set(fields) - fixed)
            text = f"unknown parameter {name!r}" + ("" if known else " (this component has none)")
            problems.append(Problem((name,), text, nearest(str(name), known)))
    for name, field in fields.items():
        if name in fixed:
            continue
        if name not in params:
            if field.default is MISSING and field.default_factory is MISSING:
                problems.append(Problem((), f"missing parameter {name!r}"))
            continue
        try:
            values[name] = TypeAdapter(hints[name]).validate_python(params[name])
            if _converted(params[name], values[name]):
                del values[name]
                text = f"expected {_type_name(hints[name])}, found {params[name]!r}"
                problems.append(Problem((name,), text))
                continue
        except ValidationError as error:
            wrong = error.errors()[0]
            text = f"{wrong['msg'][0].lower()}{wrong['msg'][1:]}, found {params[name]!r}"
            problems.append(Problem((name, *(p for p in wrong["loc"] if isinstance(p, int))), text))
            continue
        if outside := _outside(values[name], field.metadata[_META]["bounds"]):
            problems.append(Problem((name,), outside))
    return values, problems


def _type_name(hint: Any) -> str:
    return getattr(hint, "__name__", str(hint)) if isinstance(hint, type) else str(hint).replace("typing.", "")


def _converted(given: Any, value: Any) -> bool:
    """Whether pydantic turned text or a number into another kind of scalar ("3" into 3, 1 into true)."""
    if isinstance(given, list | tuple) and isinstance(value, list | tuple):
        return any(_converted(g, v) for g, v in zip(given, value, strict=False))
    if isinstance(value, bool) or isinstance(given, bool):
        return isinstance(value, bool) != isinstance(given, bool)
    return isinstance(given, str) and isinstance(value, int | float) and not isinstance(value, Enum)


def build(cls: type, params: Mapping[str, Any], **bound: Any) -> Any:
    """An instance of the component `cls`. Raises OptionError listing every problem."""
    values, problems = check(cls, params, bound=bound)
    if problems:
        raise OptionError(problems)
    return cls(**values, **bound)


def plain(value: Any) -> Any:
    """The JSON form of a parameter value."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value


def params_of(component: Any, *, in_id_only: bool = False) -> dict[str, Any]:
    """All parameters of a component after defaults, as plain JSON values, in field order."""
    return {
        f.name: plain(getattr(component, f.name))
        for f in dataclasses.fields(component)
        if f.init and (meta := f.metadata.get(_META)) is not None and (meta["in_id"] or not in_id_only)
    }
