"""The resolved suite, with every inherited value, preset and default written out: loading it gives the same cells."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import LiteralScalarString

from harness.models.model import Model
from harness.options import params_of, plain
from harness.suite.checking import LoadedSuite
from harness.suite.rows import LoadedRow
from harness.suite.schema import RowEntry


def resolved(loaded: LoadedSuite) -> dict[str, Any]:
    """The suite as plain values, in the order people read: what, on what, which rows, which metrics."""
    suite = loaded.suite
    rows: dict[str, list[dict[str, Any]]] = {"methods": [], "baselines": [], "controls": []}
    for (section, _, entry), row in zip(suite.rows, loaded.rows, strict=True):
        rows[section].append(_row(entry, row))
    return {
        "suite": suite.suite,
        "version": suite.version,
        "title": suite.title,
        "description": suite.description,
        "task": {"name": loaded.task.name, **params_of(loaded.task)},
        "model": {"name": loaded.model.name, **_model(loaded.model)},
        "data": {role: {"name": found.name, **params_of(found)} for role, found in loaded.image_sets.items()},
        "seeds": list(suite.seeds),
        "split": suite.split,
        "compare_to": loaded.compare_to,
        **rows,
        "metrics": [{"name": metric.name, **_own(metric)} for metric in loaded.metrics],
        "primary": list(loaded.primary),
    }


def _model(model: Model) -> dict[str, Any]:
    """Parameters with the defaults that the model's card states filled in."""
    params = params_of(model)
    return {**params, **{k: v for k, v in plain(model.settings()).items() if k in params}}


def _row(entry: RowEntry, row: LoadedRow) -> dict[str, Any]:
    """The method itself with all its parameters; the label keeps the preset's name."""
    method = row.points[0].method
    written: dict[str, Any] = {"name": method.name}
    if row.label != method.name:
        written["as"] = row.label
    if entry.against:
        written["against"] = entry.against
    written.update({k: v for k, v in params_of(method).items() if k not in entry.sweep})
    if entry.sweep:
        written["sweep"] = {k: plain(v) for k, v in entry.sweep.items()}
    return written


def _own(metric: Any) -> dict[str, Any]:
    """Parameters that are not already in the metric's name."""
    return {k: v for k, v in params_of(metric).items() if "{" + k + "}" not in metric.registered}


def resolved_yaml(loaded: LoadedSuite) -> str:
    """The resolved suite as YAML text."""
    return dump(resolved(loaded))


def dump(value: Any) -> str:
    """Plain values as YAML: block style, short lists of scalars in one line, order kept."""
    writer = YAML(typ="rt")
    writer.width = 100
    writer.representer.add_representer(
        type(None), lambda made, _: made.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    writer.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    writer.dump(_flowed(value), out)
    return out.getvalue()


def _flowed(value: Any) -> Any:
    if isinstance(value, dict):
        return CommentedMap((k, _flowed(v)) for k, v in value.items())
    if isinstance(value, list | tuple):
        sequence = CommentedSeq(_flowed(v) for v in value)
        if all(isinstance(v, int | float) or v is None for v in value):
            sequence.fa.set_flow_style()
        return sequence
    if isinstance(value, str) and "\n" in value.strip():
        return LiteralScalarString(value)
    return value
