"""FID: Fréchet distance of Inception-v3 pool features, under the protocol that the name carries.

`fid` is clean-fid's `clean` (Pillow's antialiased bicubic on floats, never rounded back), `fid.legacy_pytorch` and
`fid.legacy_tensorflow` its two legacy modes: three different numbers, three names (arXiv 1706.08500, 2104.11222). The
networks are clean-fid's own; moments and distance are ours (harness/metrics/frechet_distance.py) and equal to its to
1e-6 relative on the same files. Biased upwards by about c/N: N is in the id, `.jack` has the 1/N term removed.
A distance below 1e-3 between different sets is no result but features that carry nothing: `invalid-control` (T10).
Reporting fewer images than features (2048) is allowed and stated by n. Traps: metrics.md sections 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.metrics.feature_moments import FeatureMoments
from harness.metrics.feature_sets import feature_needs
from harness.metrics.frechet_distance import FrechetDistance
from harness.metrics.inputs import features, moments_only
from harness.metrics.metric import (
    Array,
    CannotMeasure,
    Direction,
    Evidence,
    Measurement,
    Metric,
    Need,
    ScoreStatus,
    metric,
)
from harness.stats.units import Estimator

SOURCE = "arXiv 1706.08500, 2104.11222; clean-fid 0.1.35"
NOTHING = 1e-3
"""Distance below which two different sets are not told apart by working Inception features (T10)."""


def same_set(a: Array, b: Array) -> bool:
    """Whether two sets of rows are equal, whatever their order."""
    if a.shape != b.shape:
        return False
    return bool(np.array_equal(a[np.lexsort(a.T)], b[np.lexsort(b.T)]))


def same_moments(a: FeatureMoments, b: FeatureMoments) -> bool:
    """Whether two sets that vary at all agree in size and, to the rounding of another library, in their moments."""
    spread = float(np.trace(b.covariance))
    if a.n != b.n or a.mean.shape != b.mean.shape or spread <= 0.0:
        return False
    away, turned = np.abs(a.mean - b.mean).max(), np.abs(a.covariance - b.covariance).max()
    return bool(away <= 1e-6 * np.sqrt(spread) and turned <= 1e-6 * spread)


@metric("fid", unit="FID", direction=Direction.LOWER, estimator=Estimator.PLUG_IN, source=SOURCE)
@dataclass(frozen=True)
class Fid(Metric):
    """FID between generated and reference images, clean-fid's protocol `clean`."""

    extractor: ClassVar[str] = "inception-clean"

    def needs(self) -> tuple[Need, ...]:
        return feature_needs(self.extractor)

    def measure(self, evidence: Evidence) -> Measurement:
        found = FrechetDistance(self.extractor).measure(evidence)
        if found.value < NOTHING and not self._same(evidence):
            raise CannotMeasure(
                ScoreStatus.INVALID_CONTROL,
                f"distance {found.value:.2g} between different images: their features carry nothing",
            )
        return found

    def _same(self, evidence: Evidence) -> bool:
        own, known = features(evidence, self.extractor), moments_only(evidence, self.extractor)
        if known is None:
            return same_set(own, features(evidence, self.extractor, "reference"))
        return same_moments(FeatureMoments.of(own), known)


@metric("fid.legacy_pytorch", unit="FID", direction=Direction.LOWER, estimator=Estimator.PLUG_IN, source=SOURCE)
@dataclass(frozen=True)
class FidLegacyPytorch(Fid):
    """FID under the protocol of pytorch-fid as clean-fid runs it: bilinear, no antialias, its port of the network."""

    extractor: ClassVar[str] = "inception-legacy_pytorch"


@metric("fid.legacy_tensorflow", unit="FID", direction=Direction.LOWER, estimator=Estimator.PLUG_IN, source=SOURCE)
@dataclass(frozen=True)
class FidLegacyTensorflow(Fid):
    """FID under TensorFlow 1's protocol as clean-fid calls it: resized inside the network."""

    extractor: ClassVar[str] = "inception-legacy_tensorflow"
