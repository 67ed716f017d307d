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
    entries={
        "fd.{extractor}": "harness.metrics.frechet_distance:FrechetDistance",
        "kd.{extractor}": "harness.metrics.kernel_distance:KernelDistance",
        "precision.{extractor}": "harness.metrics.manifold:Precision",
        "recall.{extractor}": "harness.metrics.manifold:Recall",
        "density.{extractor}": "harness.metrics.manifold:Density",
        "coverage.{extractor}": "harness.metrics.manifold:Coverage",
        "vendi.{extractor}": "harness.metrics.spectrum:Vendi",
        "vendi.{extractor}.prompt": "harness.metrics.spectrum:VendiPrompt",
        "rke.{extractor}": "harness.metrics.spectrum:RKE",
        "rke.{extractor}.prompt": "harness.metrics.spectrum:RKEPrompt",
    },
)
