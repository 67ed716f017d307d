"""What stands beside a threshold so that nobody has to believe it: clean accuracy, false acceptance where it is used.

far_eval: clean acceptance over pairs of different people among those who are scored, with replicates; `far_off` where
its interval lies outside [f / 2, 2 f]. far_target: the same against each impersonation target's evaluation photo
(least, median, most): over four targets it varies between .2 and 2.6 % at an exact global 1 %. weak_recogniser: clean
acceptance of mates below .90 at f = .01, which gives protection away for free. Source: face_privacy.md section 8.3.
"""

from __future__ import annotations

import numpy as np

from harness.metrics.faces.calibration import equal_error_rate, impostors
from harness.metrics.faces.pairs import Pairs, Scores, macro
from harness.metrics.faces.resampling import REPLICATES, drawn, replicate_units
from harness.metrics.faces.thresholds import Taus
from harness.metrics.faces.view import GALLERY, PROBE, Cast, FaceView, cosines, indices, rows
from harness.metrics.inputs import Floats
from harness.metrics.metric import Measurement
from harness.stats.intervals import percentiles
from harness.stats.units import NoSpread

WEAK = 0.90  # clean TAR at f = .01
_BLOCK = 1 << 10  # pairs whose copies are counted at a time
FLAGS = {
    "weak_recogniser": "the recogniser misses more than one clean photo in ten: not being recognised by it is no merit",
    "far_off": "clean false acceptance among the people scored is not what the calibration promised",
    "few_targets": "fewer than 20 impersonation targets: nothing is said about targets at large",
}
"""Companions that are there only where something is wrong, and what each says."""


def weakness(pairs: Pairs, scores: Scores, taus: Taus) -> dict[str, Measurement]:
    """`weak_recogniser` with the clean TAR, where that is below .90 at a rate of .01 or more."""
    clean = macro((scores.clean > taus.value).astype(np.float64), np.ones(len(pairs)), pairs.person, len(pairs.people))
    weak = clean < WEAK and taus.own.far >= 0.01
    return {"weak_recogniser": Measurement(clean, len(pairs.people), None)} if weak else {}


def crosschecks(
    view: FaceView, cast: Cast, pairs: Pairs, scores: Scores, taus: Taus, seed: int
) -> dict[str, Measurement]:
    """τ and its rate with replicates, equal error rate, far_eval and far_target."""
    own, _, _, people = impostors(view.calibration, view.calibration_person)
    found = taus.detailed()
    genuine = scores.clean[np.isfinite(scores.clean)]
    if len(genuine):
        found["eer"] = Measurement(equal_error_rate(genuine, own), people, None)
    found |= far_eval(view, cast, pairs, taus, seed)
    return {**found, **far_target(view, cast, taus)}


def far_eval(view: FaceView, cast: Cast, pairs: Pairs, taus: Taus, seed: int) -> dict[str, Measurement]:
    """Clean acceptance over all probe-gallery pairs of different people, and its flag. {} where there are none."""
    unit, seen = rows(view.clean, view.clean_found)
    probes = np.flatnonzero((cast.role == PROBE) & seen)
    gallery = np.flatnonzero((cast.role == GALLERY) & seen)
    mine, theirs = indices(cast.person[probes], pairs.people), indices(cast.person[gallery], pairs.people)
    different = cast.person[probes][:, None] != cast.person[gallery][None, :]
    if not different.any():
        return {}
    scores = np.where(different, cosines(unit[probes], unit[gallery]), -np.inf)
    # People of the gallery who have no probe photos are not resampled: they stand last, always once.
    copies = np.append(drawn(seed, "people", len(pairs.people)), np.ones((REPLICATES, 1), dtype=np.int64), axis=1)
    of_p, of_g = (np.bincount(i % copies.shape[1], minlength=copies.shape[1]) for i in (mine, theirs))
    total = (copies @ of_p) * (copies @ of_g) - copies**2 @ (of_p * of_g)
    row, column = np.nonzero(scores > min(taus.value, float(taus.replicates.min())))
    by_person, accepted = np.ascontiguousarray(copies.T, dtype=np.float32), np.zeros(REPLICATES)
    for start in range(0, len(row), _BLOCK):
        p, g = row[start : start + _BLOCK], column[start : start + _BLOCK]
        above = scores[p, g][:, None] > taus.replicates
        accepted += (by_person[mine[p]] * by_person[theirs[g]] * above).sum(axis=0, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        rates: Floats = accepted / total
    value = float((scores > taus.value).sum() / different.sum())
    units = replicate_units(rates, value)
    found = {"far_eval": Measurement(value, len(pairs.people), units)}
    if units is not None:
        try:
            interval = percentiles(units.value)
            low, high = interval.low, interval.high
        except NoSpread as same:
            low = high = same.value
        if high < taus.own.far / 2 or low > 2 * taus.own.far:
            found["far_off"] = Measurement(value, len(pairs.people), None)
    return found


def far_target(view: FaceView, cast: Cast, taus: Taus) -> dict[str, Measurement]:
    """Least, median and most clean acceptance over impersonation targets. {} where there are none."""
    unit, seen = rows(view.clean, view.clean_found)
    target, has = rows(view.targets)
    probes = (cast.role == PROBE) & seen
    if not has.any() or not probes.any():
        return {}
    accepted = cosines(unit[probes], target[has]) > taus.value
    others = cast.person[probes][:, None] != view.target_person[has][None, :]
    with np.errstate(invalid="ignore"):
        each = (accepted & others).sum(axis=0) / others.sum(axis=0)
    each = each[np.isfinite(each)]
    if len(each) == 0:
        return {}
    numbers = {"min": each.min(), "median": np.median(each), "max": each.max()}
    return {f"far_target_{k}": Measurement(float(v), len(each), None) for k, v in numbers.items()}
