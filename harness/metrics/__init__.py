"""The metrics: one file each. This list is the catalogue; plug-ins come by the entry point `harness.metrics`."""

from __future__ import annotations

from harness.metrics.metric import Metric
from harness.registry import Registry

EXTRACTORS = ("avatars", "digits", "latent")
CLASSIFIERS = ("avatars", "digits")

METRICS: Registry[type[Metric]] = Registry(
    kind="metric",
    base=lambda: Metric,
    values={"extractor": lambda: EXTRACTORS},
    entries={},
)
