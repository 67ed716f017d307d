"""Whether a method looks through the very network that scores it: a gain there is no evidence (rules.md 8).

A method that names a feature space in one of its options (`space`, `extractor`, `features`) is set beside the metrics
of the suite that read features of that name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.metrics.metric import Metric
from harness.tasks.task import Task

NAMING = ("space", "extractor", "features")  # options that name a feature space


def shared_spaces(cells: Sequence[Mapping[str, Any]], metrics: Sequence[Metric]) -> list[str]:
    """A sentence for every row whose own feature space also scores it.

    cells  records with method (label) and params
    """
    readers: dict[str, list[str]] = {}
    for metric in metrics:
        for name in dict.fromkeys(n.name for n in metric.needs() if n.kind == "features" and n.role == "generated"):
            readers.setdefault(name, []).append(metric.name)
    found = []
    for label in dict.fromkeys(str(c["method"]) for c in cells):
        params = next(c["params"] for c in cells if c["method"] == label)
        named = dict.fromkeys(str(params[k]) for k in NAMING if isinstance(params.get(k), str))
        found += [
            f"{label} looks at its samples through {name}, which also scores {', '.join(readers[name])}: a gain there"
            " is no evidence."
            for name in named
            if name in readers
        ]
    return found


def shared_judges(task: Task, metrics: Sequence[Metric]) -> list[str]:
    """A sentence where a metric reports by the judge that searches were tuned on, unless its verdict is exact."""
    from harness.models import judges

    tuned = getattr(task, "judge", None)
    if not tuned or judges.find(tuned).exact:
        return []
    reading = [m.name for m in metrics if any(n.kind == "judged" and n.name == tuned for n in m.needs())]
    if not reading:
        return []
    return [f"{', '.join(reading)} reports by {tuned}, which the searches were tuned on: a gain there is no evidence."]
