"""The threshold of a recogniser at a false acceptance rate f, on people who are scored nowhere else.

Impostor scores sorted descending s(1) ≥ … ≥ s(n); m = floor(f n) in exact rationals (floor(.57 · 100) is 56 in floats);
τ = s(m + 1); accepted iff s > τ. So the rate on the calibration never exceeds f, whatever the ties. Fewer than ten
accepted impostors are refused (`insufficient_impostors`), fewer than 300 people too: 100 people x 2 photos give 19 800
pairs and yet a true rate with sd .0025 at a nominal .01. Uncertainty: people are resampled, pairs of copies of one
person dropped; τ of replicate r is used in replicate r of everything. Source:
face_privacy.md section 8.3. Traps: T1 to T4, T24.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from harness.metrics.faces.resampling import drawn
from harness.metrics.faces.view import FaceView, cosines, rows
from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import Array, CannotMeasure, ScoreStatus

FEWEST = 10  # accepted impostors behind a threshold
PEOPLE = 300
RARE, PEOPLE_RARE = Fraction(1, 1000), 1500  # rates below 1e-3 need more people
_BLOCK = 1 << 10  # pairs whose copies are counted at a time
_KEPT = 64


@dataclass(frozen=True)
class Threshold:
    """τ at rate `far` and how sure it is.

    value       accepted iff score > value;  realised  share of the calibration's impostor pairs above it, at most far
    pairs       impostor pairs n;  people  behind them
    replicates  (R,) τ of replicate r;  rates  (R,) share of replicate r's pairs above `value` itself
    """

    value: float
    far: float
    realised: float
    pairs: int
    people: int
    replicates: Floats
    rates: Floats


def acceptances(pairs: int, far: float) -> int:
    """m = floor(far · pairs), far taken as the decimal number that is written."""
    return int(Fraction(str(far)) * pairs)


def threshold(scores: Array, far: float) -> float:
    """s(m + 1) of impostor scores (n,). Raises CannotMeasure (`insufficient_impostors`) where m is below ten."""
    accepted = acceptances(len(scores), far)
    if accepted < FEWEST:
        raise CannotMeasure(
            ScoreStatus.INSUFFICIENT_N,
            f"insufficient_impostors: {len(scores)} impostor pairs let {accepted} pass at a rate of {far:g};"
            f" {FEWEST} are needed: calibrate on more people or at a higher rate",
        )
    return float(-np.partition(-np.asarray(scores, dtype=np.float64), accepted)[accepted])


def impostors(vectors: Array, person: NDArray[np.str_]) -> tuple[Floats, Ints, Ints, int]:
    """Scores (n,) of all pairs of different people, sorted descending, the two people's numbers, how many people.

    vectors (C, D) with zeros where no face was found: those photos are left out
    """
    unit, seen = rows(vectors)
    names, number = np.unique(np.asarray(person, dtype=np.str_)[seen], return_inverse=True)
    order = np.argsort(number, kind="stable")  # by name: the order of the photos changes nothing
    unit, number = unit[seen][order], number[order].astype(np.int64)
    first, second = np.triu_indices(len(unit), 1)
    other = number[first] != number[second]
    first, second = first[other], second[other]
    scores = cosines(unit, unit)[first, second]
    descending = np.argsort(-scores, kind="stable")
    return scores[descending], number[first[descending]], number[second[descending]], len(names)


def calibrated(vectors: Array, person: NDArray[np.str_], far: float, seed: int, fewest: int = PEOPLE) -> Threshold:
    """The threshold with its resampled values. The same content gives the same object within a process.

    Raises CannotMeasure: fewer than `fewest` people (1500 for rates below 1e-3), fewer than ten accepted pairs.
    """
    content = hashlib.blake2b(np.ascontiguousarray(vectors).tobytes(), digest_size=16)
    content.update("\0".join(person.tolist()).encode())
    key = (content.hexdigest(), far, seed, fewest)
    if key not in _known:
        _known[key] = _calibrated(vectors, person, far, seed, fewest)
        if len(_known) > _KEPT:
            _known.popitem(last=False)
    return _known[key]


_known: OrderedDict[tuple[str, float, int, int], Threshold] = OrderedDict()


def calibration_of(view: FaceView, far: float, seed: int, fewest: int = PEOPLE) -> Threshold:
    """`calibrated` on the calibration photos of a view."""
    return calibrated(view.calibration, view.calibration_person, far, seed, fewest)


def _calibrated(vectors: Array, person: NDArray[np.str_], far: float, seed: int, fewest: int) -> Threshold:
    scores, first, second, people = impostors(vectors, person)
    wanted = PEOPLE_RARE if Fraction(str(far)) < RARE and fewest >= PEOPLE else fewest
    if people < wanted:
        raise CannotMeasure(
            ScoreStatus.INSUFFICIENT_N,
            f"insufficient_impostors: {people} calibration people with a face found; {wanted} are needed at a rate of"
            f" {far:g} (people, not pairs, carry the information)",
        )
    value = threshold(scores, far)
    weights = drawn(seed, "calibration", people)
    replicates, rates = resampled(scores, first, second, weights, far, value)
    return Threshold(value, far, float((scores > value).mean()), len(scores), people, replicates, rates)


def resampled(
    scores: Floats, first: Ints, second: Ints, weights: Ints, far: float, value: float
) -> tuple[Floats, Floats]:
    """τ of each replicate (R,), and the share of its pairs above `value` (R,).

    scores  (n,) descending, of people first, second (n,);  weights  (R, people) copies of each person; a pair counts as
    often as the product of its people's copies, pairs of copies of one person not at all
    """
    share, above = Fraction(str(far)), int(np.searchsorted(-scores, -value, side="left"))
    copies = np.ascontiguousarray(weights.T, dtype=np.int32)  # (people, R): a pair's products lie side by side
    if len(scores) == len(copies) * (len(copies) - 1) // 2:
        total = (weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)) // 2
    else:  # people with several photos
        total = np.array([(w[first] * w[second]).sum() for w in weights])
    allowed = (share.numerator * total) // share.denominator
    counted, taus = np.zeros(len(weights), dtype=np.int64), np.full(len(weights), np.nan)
    rates, start = np.zeros(len(weights)), 0
    while start < len(scores) and (start < above or np.isnan(taus).any()):
        stop = min(start + _BLOCK, len(scores)) if start >= above else min(start + _BLOCK, above)
        sums = np.cumsum(copies[first[start:stop]] * copies[second[start:stop]], axis=0, dtype=np.int32) + counted
        crossed = (sums[-1] > allowed) & np.isnan(taus)
        taus[crossed] = scores[start + (sums[:, crossed] > allowed[crossed]).argmax(axis=0)]
        counted, start = sums[-1].astype(np.int64), stop
        if stop == above:
            rates = counted / np.maximum(total, 1)
    return np.where(np.isnan(taus), scores[-1], taus), rates


def equal_error_rate(genuine: Array, impostor: Array) -> float:
    """The rate at which misses and false acceptances meet: mean of the two at the score where they are closest."""
    mates, others = np.sort(np.asarray(genuine, dtype=np.float64)), np.sort(np.asarray(impostor, dtype=np.float64))
    taus = np.unique(np.concatenate([mates, others]))
    missed = np.searchsorted(mates, taus, side="right") / len(mates)  # accepted iff above
    accepted = 1.0 - np.searchsorted(others, taus, side="right") / len(others)
    at = int(np.abs(missed - accepted).argmin())
    return float((missed[at] + accepted[at]) / 2)
