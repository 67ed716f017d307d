"""Components from the parts of a cell, and where their source lies.

A part names a registered component, its version and all its parameters; building checks that the code at hand still is
what the spec was made for.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

from harness.data import IMAGE_SETS
from harness.data.image_set import ImageSet
from harness.engine.cell import Cell, Part
from harness.methods import METHODS
from harness.methods.method import Method
from harness.models import MODELS
from harness.models.model import Model
from harness.options import build, options_of, params_of
from harness.registry import Registry
from harness.tasks import TASKS
from harness.tasks.task import Task

Role = Literal["task", "model", "method", "data"]
ROLES: tuple[Role, ...] = ("task", "model", "method", "data")
REGISTRIES: Mapping[Role, Registry[Any]] = {"task": TASKS, "model": MODELS, "method": METHODS, "data": IMAGE_SETS}


class Outdated(ValueError):
    """A spec made for another version, other weights or other data than what is here."""


Outside = Mapping[str, Mapping[str, Any]]
NOTHING: Outside = {}


def outside_of(component: Any) -> dict[str, Any]:
    """Parameters of a component that are no identity (paths): needed to build it again, in no address."""
    identity = params_of(component, in_id_only=True)
    return {k: v for k, v in params_of(component).items() if k not in identity}


def task_of(cell: Cell, outside: Outside = NOTHING) -> Task:
    component: Task = _build("task", cell.task, outside.get("task", {}))
    content = getattr(component, "content", None)
    if callable(content):
        _compare("task", cell.task, content())
    return component


def method_of(cell: Cell, outside: Outside = NOTHING) -> Method:
    component: Method = _build("method", cell.method, outside.get("method", {}))
    return component


def model_of(part: Part, outside: Outside = NOTHING) -> Model:
    """The adapter, its weights compared with the hashes of the part. Raises Outdated, MissingWeights."""
    component: Model = _build("model", part, outside.get("model", {}))
    _compare("model", part, component.weights())
    return component


def image_sets_of(cell: Cell, outside: Outside = NOTHING) -> dict[str, ImageSet]:
    """The sets that the address declares, and no others: what a method reads is in its address."""
    return {role: _build("data", part, outside.get(f"data {role}", {})) for role, part in cell.data.items()}


def _build(role: Role, part: Part, outside: Mapping[str, Any]) -> Any:
    found = REGISTRIES[role].resolve(part.name)
    if found.thing.version != part.version:
        text = f"{role} {part.name} has version {found.thing.version}; the spec was made for version {part.version}"
        raise Outdated(f"{text}; plan the suite again")
    declared = {o.name for o in options_of(found.thing)} - set(found.bound)
    params = {**outside, **part.params}
    component = build(found.thing, {k: v for k, v in params.items() if k in declared}, **found.bound)
    given = params_of(component)
    if wrong := [k for k, v in given.items() if k in part.params and part.params[k] != v]:
        raise Outdated(f"parameter {wrong[0]} of {role} {part.name} became {given[wrong[0]]!r}; plan the suite again")
    return component


def _compare(role: Role, part: Part, here: Mapping[str, str]) -> None:
    for name, value in part.content.items():
        if name in here and here[name] != value:
            text = f"{name} of {role} {part.name} changed ({value[:4]}… → {here[name][:4]}…)"
            raise Outdated(f"{text}; plan the suite again")


@cache
def source_file(role: Role, name: str) -> Path | None:
    """The file that a registered name comes from, found without importing it where that is possible."""
    registry = REGISTRIES[role]
    origin = registry.entries.get(name)
    if origin is None:
        origin = next((p.value for p in entry_points(group=registry.group) if p.name == name), None)
    if origin is None:
        return None
    try:
        spec = importlib.util.find_spec(origin.partition(":")[0])
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def source_digest(role: Role, name: str) -> str:
    """Digest of a component's source file without comments and layout; "" when there is none to read."""
    path = source_file(role, name)
    return "" if path is None else _source_digest(path)


@cache
def _source_digest(path: Path) -> str:
    try:
        tree = ast.dump(ast.parse(path.read_bytes()))
    except (OSError, SyntaxError, ValueError):
        return ""
    return hashlib.blake2b(tree.encode(), digest_size=8).hexdigest()


def parts(cell: Cell) -> list[tuple[Role, Part]]:
    """All parts of a cell with their kinds."""
    own: list[tuple[Role, Part]] = [("task", cell.task), ("model", cell.model), ("method", cell.method)]
    return own + [("data", part) for part in cell.data.values()]
