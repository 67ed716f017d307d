"""Feature sets as distribution metrics take them: checked, float64, cut into the jackknife groups of their prompts.

Every refusal has its status here: features of unequal length, too few items, too few prompts for an interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.metrics.inputs import Floats, features
from harness.metrics.metric import CannotMeasure, Evidence, Measurement, Need, ScoreStatus
from harness.stats.groups import Groups, jackknife_groups
from harness.stats.units import CannotInfer

Features = Floats


@dataclass(frozen=True)
class FeatureSets:
    """generated (N, D), reference (M, D) or None, both finite, float64 or as stored; groups of the generated items."""

    generated: Features
    reference: Features | None
    groups: Groups

    def against(self) -> Features:
        """The reference. Raises ValueError where the metric did not ask for one."""
        if self.reference is None:
            raise ValueError("this metric was given no reference")
        return self.reference


def feature_needs(extractor: str, reference: bool = True) -> tuple[Need, ...]:
    """Features of the generated items and, if asked, of the reference, by one extractor."""
    own = Need("features", "generated", extractor)
    return (own, Need("features", "reference", extractor)) if reference else (own,)


def feature_sets(
    evidence: Evidence, extractor: str, *, fewest: int = 2, reference: bool = True, as_stored: bool = False
) -> FeatureSets:
    """The feature sets in `evidence` for `extractor`, in float64.

    fewest     items needed on each side
    as_stored  not copied to float64, for a metric that goes there by itself, piece by piece
    Raises CannotMeasure: insufficient-n below `fewest` items or 5 prompts, protocol-mismatch for features of different
    length, and what `inputs.features` raises.
    """
    generated = _checked(evidence, "generated", extractor, fewest, as_stored)
    other = _checked(evidence, "reference", extractor, fewest, as_stored) if reference else None
    if other is not None and other.shape[1] != generated.shape[1]:
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH,
            f"generated features have length {generated.shape[1]}, reference features {other.shape[1]}",
        )
    try:
        groups = jackknife_groups(evidence.items.clusters)
    except CannotInfer as error:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, str(error)) from error
    return FeatureSets(generated, other, groups)


def jackknifed(groups: Groups, full: float, left_out: NDArray[np.float64], **companions: Measurement) -> Measurement:
    """A measurement with the pseudo-values of `full` and of the values without each group (G,)."""
    for name, value in (("the estimate", full), ("a leave-one-group-out estimate", left_out)):
        if not np.isfinite(value).all():
            raise CannotMeasure(ScoreStatus.UNDEFINED, f"{name} is not a finite number")
    return Measurement(float(full), int(groups.size.sum()), groups.units(full, left_out), companions=companions)


def _checked(evidence: Evidence, role: str, extractor: str, fewest: int, as_stored: bool) -> Features:
    array = features(evidence, extractor, role)
    if len(array) < fewest:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, f"at least {fewest} {role} items needed; found {len(array)}")
    return array if as_stored else array.astype(np.float64)
