"""Identity-macro averages of one value a probe, with replicates over the people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.metrics.faces.pairs import macro
from harness.metrics.faces.resampling import drawn, replicate_units
from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import CannotMeasure, Measurement, ScoreStatus


def averaged(
    upper: Floats, lower: Floats, person: NDArray[np.str_], seed: int, reason: str, *, share: bool = True
) -> Measurement:
    """Ratio of two identity-macro averages of values (n,) of probes of `person` (n,); n is the number of people.

    share  whether 0 and 1 are its ends, as of a rate and not of a difference
    Raises CannotMeasure with `reason` where the denominator is 0.
    """
    people, number = np.unique(person, return_inverse=True)
    value = macro(upper, lower, number.astype(np.int64), len(people)) if len(people) else float("nan")
    if np.isnan(value):
        raise CannotMeasure(ScoreStatus.UNDEFINED, reason)
    above, below = (means(v, number.astype(np.int64), len(people)) for v in (upper, lower))
    copies = drawn(seed, "people", len(people))
    with np.errstate(invalid="ignore", divide="ignore"):
        replicates = (copies @ above) / (copies @ below)
    return Measurement(value, len(people), replicate_units(replicates, value, int((below > 0).sum()) if share else 0))


def means(value: Floats, person: Ints, people: int) -> Floats:
    """(people,) mean of the values of each."""
    counts = np.maximum(np.bincount(person, minlength=people), 1)
    return np.asarray(np.bincount(person, weights=value, minlength=people) / counts)


def worst_tenth(value: Floats) -> float:
    """Mean of the lowest ceil(n / 10) values: protection is uneven and a mean hides it."""
    return float(np.sort(value)[: -(-len(value) // 10)].mean())
