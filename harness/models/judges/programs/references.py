"""References that fail their own tests: problems that leave the set before the run, by name (metrics.md section 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.models.judges.judge import Judge


def unsound(facts: Sequence[Mapping[str, Any]], judge: Judge) -> tuple[tuple[str, str], ...]:
    """(name, outcome) of every problem whose "reference" does not pass its "tests"; a runner is the judge."""
    if not facts:
        return ()
    texts = np.array([str(f["reference"]) for f in facts], dtype=np.str_)
    outcome = judge.open("cpu")({"texts": texts}, facts)["outcome"]
    return tuple((str(f["name"]), str(o)) for f, o in zip(facts, outcome, strict=True) if o != "pass")
