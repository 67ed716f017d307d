"""A checked suite to its plan: the cells, in the order in which they run, with everything that scoring will need.

Reads hashes of weights and prompts, never a weight. The same suite gives the same cells whatever the order of its keys,
and a row added changes no other row's address.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from harness.data.image_set import ImageSet
from harness.engine.cell import Cell, Part, PlannedCell, canonical
from harness.engine.components import outside_of
from harness.metrics.metric import Metric
from harness.models.model import MissingWeights, Model
from harness.options import nearest, params_of, plain
from harness.suite.checking import LoadedSuite
from harness.suite.errors import Located, Mark, Source, SuiteError
from harness.suite.rows import LoadedRow, Point
from harness.suite.schema import Suite
from harness.tasks.task import Task

LIBRARIES = ("torch", "diffusers", "transformers")


@dataclass(frozen=True)
class Plan:
    """What a suite will run and score.

    suite        the resolved suite; `harness.suite.resolved.resolved_yaml(plan)` is what a run saves
    cells        baselines first, then methods, then controls; within a row by sweep point, then seed
    image_sets   data role → set, unloaded
    metrics      built, in the suite's order; primary: names of those that Holm's correction covers
    compare_to   label of the row that the others are compared with, None where there is no baseline
    """

    suite: Suite
    task: Task
    model: Model
    image_sets: Mapping[str, ImageSet]
    cells: tuple[PlannedCell, ...]
    metrics: tuple[Metric, ...]
    primary: tuple[str, ...]
    compare_to: str | None
    loaded: LoadedSuite


def plan(loaded: LoadedSuite, only: Sequence[str] = (), *, fetchable: bool = False) -> Plan:
    """The plan of a suite, or of the rows that `only` names by label, sweep label or method.

    fetchable   plan also a model that would first be downloaded: its cells can be counted, not run
    Raises SuiteError where a name fits no row, or where the model's weights are missing.
    """
    chosen = _chosen(loaded.rows, only)
    task, model = _task_part(loaded), _model_part(loaded, fetchable)
    read = {role for _, point in chosen for role in point.reads}  # what metrics read is hashed when they do
    data = {role: _data_part(loaded, role) for role in loaded.image_sets if role in read}
    libraries = library_versions()
    outside = {"task": outside_of(loaded.task), "model": outside_of(loaded.model)}
    cells = []
    for row, point in chosen:
        method = _method_part(loaded, row, point)
        reads = {role: data[role] for role in point.reads}
        sets = {f"data {role}": outside_of(loaded.image_sets[role]) for role in point.reads}
        beside = {k: v for k, v in {**outside, "method": outside_of(point.method), **sets}.items() if v}
        for seed in loaded.suite.seeds:
            used = {**libraries, **library_versions(point.method.libraries)}
            cell = Cell(task, model, method, loaded.suite.split, seed, reads, used)
            cells.append(PlannedCell(cell, point.label, row.role, dict(point.values), beside))
    return Plan(
        suite=loaded.suite,
        task=loaded.task,
        model=loaded.model,
        image_sets=loaded.image_sets,
        cells=tuple(cells),
        metrics=loaded.metrics,
        primary=loaded.primary,
        compare_to=loaded.compare_to,
        loaded=loaded,
    )


@cache
def library_versions(names: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    """major.minor of the libraries that compute artifacts, without importing them."""
    found = {}
    for name in names:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if hit := re.match(r"\d+\.\d+", version):
            found[name] = hit[0]
    return found


def _chosen(rows: tuple[LoadedRow, ...], only: Sequence[str]) -> list[tuple[LoadedRow, Point]]:
    every = [(row, point) for row in rows for point in row.points]
    names = [{row.label, point.label, point.method.name} for row, point in every]
    known = sorted(set().union(*names)) if names else []
    if wrong := [name for name in only if name not in known]:
        raise SuiteError(
            Located(Mark(Source(f"--only {name}", is_file=False)), "fits no row of the suite", nearest(name, known, 3))
            for name in wrong
        )
    return [pair for pair, called in zip(every, names, strict=True) if not only or called & set(only)]


def _method_part(loaded: LoadedSuite, row: LoadedRow, point: Point) -> Part:
    """A method with the hashes of what it brings from outside (a generator whose latents it moves)."""
    method = point.method
    try:
        content = method.content()
    except MissingWeights as error:
        mark = loaded.tree.find((f"{row.role}s",)).mark
        raise SuiteError(Located(mark, f"method {method.name!r}: {m}") for m in error.missing) from error
    return Part(method.name, method.version, params_of(method, in_id_only=True), content)


def _task_part(loaded: LoadedSuite) -> Part:
    task = loaded.task
    content = getattr(task, "content", None)
    try:
        hashes = content() if content is not None else {"texts": _digest(list(task.texts()))}
    except MissingWeights as error:  # of the task's judge
        mark = loaded.tree.find(("task",)).mark
        raise SuiteError(Located(mark, f"task {task.name!r}: {m}") for m in error.missing) from error
    return Part(task.name, task.version, params_of(task, in_id_only=True), hashes)


def _model_part(loaded: LoadedSuite, fetchable: bool) -> Part:
    """The model with its resolved settings as parameters and the hashes of its weights."""
    model, mark = loaded.model, loaded.tree.find(("model",)).mark
    try:
        if fetchable and (needs := model.footprint()) is not None and needs.download:
            return Part(model.name, model.version, params_of(model, in_id_only=True), {"to download": needs.download})
        weights, settings = dict(model.weights()), plain(model.settings())
    except MissingWeights as error:
        raise SuiteError(Located(mark, f"model {model.name!r}: {m}") for m in error.missing) from error
    except (OSError, ValueError) as error:
        raise SuiteError([Located(mark, f"model {model.name!r}: {error}")]) from error
    params = params_of(model, in_id_only=True)
    other = {f"setting {k}": canonical(v) for k, v in settings.items() if k not in params}
    resolved = {k: v for k, v in settings.items() if k in params}
    return Part(model.name, model.version, {**params, **resolved}, {**weights, **other})


def _data_part(loaded: LoadedSuite, role: str) -> Part:
    found = loaded.image_sets[role]
    try:
        digest = found.digest(loaded.task.texts())
    except (OSError, ValueError) as error:
        mark = loaded.tree.find(("data", role)).mark
        raise SuiteError([Located(mark, f"data set {found.name!r}: {error}")]) from error
    return Part(found.name, found.version, params_of(found, in_id_only=True), {"digest": digest})


def check_data(loaded: LoadedSuite) -> None:
    """Every data set is there and can be read: its pixels are hashed. Raises SuiteError naming all that are not."""
    problems: list[Located] = []
    for role in loaded.image_sets:
        try:
            _data_part(loaded, role)
        except SuiteError as error:
            problems += error.problems
    if problems:
        raise SuiteError(problems)


def _digest(value: Any) -> str:
    return hashlib.blake2b(canonical(value).encode(), digest_size=16).hexdigest()
