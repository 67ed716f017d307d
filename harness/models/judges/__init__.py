"""The judges: recognisers, quality scorers and program runners, one file each. Plug-ins: `harness.judges`."""

from __future__ import annotations

from harness.models.judges.judge import Judge
from harness.registry import Registry

JUDGES: Registry[type[Judge]] = Registry(
    kind="judge",
    base=lambda: Judge,
    entries={},
)
