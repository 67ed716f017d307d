"""Where each kind of name is registered, in one place for checking, the JSON Schema, `list` and `describe`."""

from __future__ import annotations

import importlib
from typing import Any

from harness.registry import Registry

_WHERE = {
    "task": "harness.tasks:TASKS",
    "model": "harness.models:MODELS",
    "data": "harness.data:IMAGE_SETS",
    "method": "harness.methods:METHODS",
    "metric": "harness.metrics:METRICS",
    "judge": "harness.models.judges:JUDGES",
    "recogniser": "harness.models.faces:RECOGNISERS",
}


def registry(kind: str) -> Registry[Any]:
    """The registry of task, model, data, method, metric, judge or recogniser."""
    module, _, attribute = _WHERE[kind].partition(":")
    found: Registry[Any] = getattr(importlib.import_module(module), attribute)
    return found


def baseline_names() -> tuple[str, ...]:
    """The files of baselines/, as suites name them."""
    from harness.methods import baseline

    return tuple(baseline.baseline_names())
