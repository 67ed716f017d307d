"""How the recognisers of a report stand to what each row optimised: white, grey or black (face_privacy.md 8.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.engine.cell import PlannedCell
from harness.engine.store import Store
from harness.metrics.metric import Metric
from harness.models import faces
from harness.models.faces.surrogates import relation
from harness.tasks.task import Task


def kinship_record(task: Task, cells: Sequence[PlannedCell], metrics: Sequence[Metric], store: Store) -> dict[str, Any]:
    """For run.json: `kinship` label → recogniser → class, facts of the `recognisers`, and of the `faces` shown.

    A row that optimised nothing (a control) has no class; {} for suites without recognisers.
    """
    names = list(dict.fromkeys(n.name for m in metrics for n in m.needs() if n.kind == "faces"))
    if not names:
        return {}
    known = {name: faces.find(name) for name in names}
    classes: dict[str, dict[str, str]] = {}
    for planned in cells:
        surrogates = [str(s) for s in store.search(planned.cell.address).get("surrogates", ())]
        families = {n: faces.find(n).lineage for n in {*surrogates, *names}}
        classes[planned.label] = {name: relation(surrogates, name, families) for name in names} if surrogates else {}
    of = task.faces()
    return {
        "kinship": classes,
        "recognisers": {
            name: {
                "weights": found.lineage.weights,
                "training": found.lineage.training,
                "architecture": found.lineage.architecture,
                "released": found.released,
                "licence": found.licence,
                "identity": found.identity(),
            }
            for name, found in known.items()
        },
        "faces": {"consent": of.consent, "world": of.world},
    }
