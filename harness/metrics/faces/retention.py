"""Retention: what is left of a cloak's protection after its photos were compressed, scaled or blurred on their way.

X_T / X, the excess with the transform over that without it. The clean photos go through the same transform, so that
what the transform itself takes from the recogniser is no merit of the cloak. Guards as for transfer ratios.
Source: face_privacy.md section 8.6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.metrics.faces.choices import FACE, FAR, FEWEST, LEAST, PEOPLE, PROTOCOL, Protocol
from harness.metrics.faces.resampling import replicate_units
from harness.metrics.faces.transfer import ratio_replicates, transfer_ratio
from harness.metrics.faces.transforms import Transform
from harness.metrics.faces.verification import DodgingGain
from harness.metrics.faces.view import needed
from harness.metrics.metric import Direction, Evidence, Measurement, Metric, Need, metric
from harness.options import option
from harness.stats.units import Estimator


@metric(
    "ver.retention.{face}",
    unit="excess left a excess",
    direction=Direction.HIGHER,
    estimator=Estimator.RATIO,
    ideal=1.0,
    source="face_privacy.md section 8.6",
)
@dataclass(frozen=True)
class Retention(Metric):
    """Excess dodging after a transform over excess dodging without it."""

    face: str = FACE
    transform: Transform = option("jpeg75", help="what the photos go through before the recogniser")
    far: float = FAR
    protocol: Protocol = PROTOCOL
    people: int = PEOPLE
    least: float = LEAST
    fewest: int = FEWEST

    def needs(self) -> tuple[Need, ...]:
        return tuple(dict.fromkeys((Need("cast"), needed(self.face), needed(self.face, self.transform))))

    def measure(self, evidence: Evidence) -> Measurement:
        whole = DodgingGain(self.face, far=self.far, people=self.people, protocol=self.protocol)
        before, after = whole.measure(evidence), replace(whole, transform=self.transform).measure(evidence)
        value = transfer_ratio(after.value, before.value, before.n, self.least, self.fewest)
        units = None
        if before.units is not None and after.units is not None:
            replicates = ratio_replicates(after.units.value, before.units.value, self.least)
            units = None if replicates is None else replicate_units(np.asarray(replicates), value)
        parts = {"before": before, "after": after}
        beside = {name: Measurement(part.value, part.n, part.units) for name, part in parts.items()}
        return Measurement(value, before.n, units, None, beside)
