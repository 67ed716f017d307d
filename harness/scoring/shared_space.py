"""Whether a method looks through the very network that scores it: a gain there is no evidence (rules.md 8).

A method that names a feature space in one of its options (`space`, `extractor`, `features`) is set beside the metrics
of the suite that read features of that name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.metrics.metric import Metric

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
