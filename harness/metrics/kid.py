"""KID: unbiased squared MMD of Inception-v3 pool features with the cubic kernel, under a named protocol.

The value is the full-sample U-statistic (harness/metrics/kernel_distance.py), stored x1 and never clamped: it may be
negative. Beside it, where both sides have 1000 images, `.legacy`: the mean over 100 random subsets of 1000 as papers
print it. Its draws are torch-fidelity's (numpy's RandomState of seed 2020, generated side first), so that the column
equals that library's to 1e-6; the spread it prints over subsets is four times the error and is not shown.
Protocols as in harness/metrics/fid.py. Source: arXiv 1801.01401. Traps: metrics.md section 3, T16 to T20.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from harness.metrics.feature_sets import Features, feature_needs
from harness.metrics.inputs import features
from harness.metrics.kernel_distance import KernelDistance, kernel
from harness.metrics.metric import Direction, Evidence, Measurement, Metric, Need, metric
from harness.stats.units import Estimator

SOURCE = "arXiv 1801.01401; subsets as in torch-fidelity"
SUBSETS, SIZE, SEED = 100, 1000, 2020
"""The published protocol of the legacy column."""


def subset_mean(x: Features, y: Features, subsets: int, size: int, seed: int) -> float:
    """Mean over random subsets of the U-statistic; x (N, D) generated, y (M, D) reference, N and M at least `size`.

    Raises ValueError for fewer rows: a smaller subset is another protocol.
    """
    if min(len(x), len(y)) < size:
        raise ValueError(f"subsets of {size} from {len(x)} and {len(y)} rows")
    draws = np.random.RandomState(seed)  # the library's own generator, local to this call
    total = 0.0
    for _ in range(subsets):
        a, b = (rows[draws.choice(len(rows), size, replace=False)] for rows in (x, y))
        aa, bb = kernel(a, a), kernel(b, b)
        inside = float(aa.sum() - np.trace(aa) + bb.sum() - np.trace(bb)) / (size * (size - 1))
        total += inside - 2.0 * float(kernel(a, b).mean())
    return total / subsets


@metric("kid", unit="squared MMD", direction=Direction.LOWER, estimator=Estimator.U_STATISTIC, source=SOURCE)
@dataclass(frozen=True)
class Kid(Metric):
    """KID between generated and reference images, clean-fid's protocol `clean`; all pairs, no subsets."""

    extractor: ClassVar[str] = "inception-clean"

    def needs(self) -> tuple[Need, ...]:
        return feature_needs(self.extractor)

    def measure(self, evidence: Evidence) -> Measurement:
        found = KernelDistance(self.extractor).measure(evidence)
        own, other = (
            features(evidence, self.extractor, role).astype(np.float64) for role in ("generated", "reference")
        )
        if min(len(own), len(other)) < SIZE:
            return found
        legacy = subset_mean(own, other, SUBSETS, SIZE, SEED)
        return replace(found, companions={"legacy": Measurement(legacy, SIZE, None)})


@metric(
    "kid.legacy_pytorch", unit="squared MMD", direction=Direction.LOWER, estimator=Estimator.U_STATISTIC, source=SOURCE
)
@dataclass(frozen=True)
class KidLegacyPytorch(Kid):
    """KID under the protocol of pytorch-fid as clean-fid runs it: bilinear, no antialias, its port of the network."""

    extractor: ClassVar[str] = "inception-legacy_pytorch"


@metric(
    "kid.legacy_tensorflow",
    unit="squared MMD",
    direction=Direction.LOWER,
    estimator=Estimator.U_STATISTIC,
    source=SOURCE,
)
@dataclass(frozen=True)
class KidLegacyTensorflow(Kid):
    """KID under TensorFlow 1's protocol as clean-fid calls it: resized inside the network."""

    extractor: ClassVar[str] = "inception-legacy_tensorflow"
