"""Which threshold a face metric decides with: calibrated here, or one of the constants that old code carries along.

`legacy.adv_makeup`: cos > τ at rates .1, .01, .001 of four recognisers, copied through four repositories without a
calibration script; users measured 1.7 to 4.9 % clean acceptance at the nominal 1 % (AMT-GAN#18). Selecting it changes
the metric's id, and the value at the calibrated threshold stands beside it. Source: face_privacy.md section 4.1; T23.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.metrics.faces.calibration import Threshold, calibration_of
from harness.metrics.faces.resampling import REPLICATES, replicate_units
from harness.metrics.faces.view import FaceView
from harness.metrics.inputs import Floats
from harness.metrics.metric import CannotMeasure, Measurement, ScoreStatus

Rule = Literal["calibrated", "legacy.adv_makeup"]

ADV_MAKEUP: Mapping[str, Mapping[float, float]] = {
    "ir152": {0.1: 0.094632, 0.01: 0.166788, 0.001: 0.227922},
    "irse50": {0.1: 0.144840, 0.01: 0.241045, 0.001: 0.312703},
    "facenet": {0.1: 0.256587, 0.01: 0.409131, 0.001: 0.591191},
    "mobileface": {0.1: 0.183635, 0.01: 0.301611, 0.001: 0.380878},
}


@dataclass(frozen=True)
class Taus:
    """value  accepted iff score > value;  replicates (R,);  calibrated  beside a constant, else None."""

    value: float
    replicates: Floats
    own: Threshold
    calibrated: Threshold | None = None

    @property
    def companions(self) -> dict[str, Measurement]:
        """The threshold in use, and the calibrated one beside a constant; with units in `detailed`."""
        found = {"tau": Measurement(self.value, self.own.people, None)}
        if self.calibrated is not None:
            found["tau_calibrated"] = Measurement(self.calibrated.value, self.own.people, None)
        return found

    def detailed(self) -> dict[str, Measurement]:
        """The calibrated threshold and its rate on the calibration people, both with replicates."""
        own = self.own
        name = "tau" if self.calibrated is None else "tau_calibrated"
        return {
            name: Measurement(own.value, own.people, replicate_units(own.replicates, own.value)),
            "far": Measurement(own.realised, own.people, replicate_units(own.rates, own.realised)),
        }


def taus_of(view: FaceView, far: float, rule: Rule, seed: int, fewest: int) -> Taus:
    """Raises CannotMeasure as `calibrated` does, and where old code has no constant for the recogniser and rate."""
    own = calibration_of(view, far, seed, fewest)
    if rule == "calibrated":
        return Taus(own.value, own.replicates, own)
    constant = legacy(view.name, far)
    return Taus(constant, np.full(REPLICATES, constant), own, own)


def legacy(recogniser: str, far: float) -> float:
    """The constant of `legacy.adv_makeup`. Raises CannotMeasure where there is none."""
    table = ADV_MAKEUP.get(recogniser.lower().replace("-", "").replace("_", ""), {})
    if far not in table:
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH,
            f"legacy.adv_makeup has no constant for {recogniser!r} at a rate of {far:g}; it has .1, .01 and .001 of"
            f" {', '.join(ADV_MAKEUP)}",
        )
    return table[far]
