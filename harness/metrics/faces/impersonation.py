"""Impersonation: is a protected photo accepted as a chosen other person, by a photo that nobody optimised against?

raw: mean over targets j of the identity-macro mean over their probes of 1[s(x'_p, y_j) > τ], y_j the target's
evaluation photos; clean: the same of the unprotected photos; gain: raw - clean. A photo without a face found is a
failure, also of the target. Below 20 targets nothing is said about targets at large (`few_targets`). Replicates draw
people and targets. Source: face_privacy.md section 8.4. Traps: T5, T8, T13, T20.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.faces.choices import FACE, FAR, PEOPLE, THRESHOLD, TRANSFORM
from harness.metrics.faces.pairs import Scores, macro, macro_replicates
from harness.metrics.faces.resampling import REPLICATES, drawn, replicate_units
from harness.metrics.faces.thresholds import Rule, Taus, taus_of
from harness.metrics.faces.transforms import Transform
from harness.metrics.faces.view import (
    PROBE,
    Bools,
    Cast,
    FaceView,
    cast_of,
    cosines,
    indices,
    needed,
    rows,
    view_of,
)
from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import (
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

FEW_TARGETS = 20
SOURCE = "face_privacy.md section 8.4"
Kind = Literal["raw", "clean", "gain"]


@dataclass(frozen=True)
class Aimed:
    """Probes with evaluation photos of their targets, pair by pair (V,).

    probe  position among the items;  person, target  positions in `people` and `targets`, sorted names
    """

    probe: Ints
    person: Ints
    target: Ints
    scores: Scores
    people: NDArray[np.str_]
    targets: NDArray[np.str_]


def parts(kind: Kind, c: Bools, a: Bools) -> tuple[Floats, Floats]:
    """Numerator and denominator, of accepted clean c and protected a."""
    upper = {"raw": a.astype(np.float64), "clean": c.astype(np.float64)}.get(kind, a.astype(np.float64) - c)
    return upper, np.ones(c.shape)


def aimed(view: FaceView, cast: Cast) -> Aimed:
    """Raises CannotMeasure: no probe has a target, a target has no evaluation photo, a person is their own target."""
    probe = np.flatnonzero((cast.role == PROBE) & (cast.target != ""))
    if len(probe) == 0:
        raise CannotMeasure(ScoreStatus.UNDEFINED, "no_targets: no probe is to be taken for somebody else")
    if (cast.person[probe] == cast.target[probe]).any():
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, "a person is their own impersonation target")
    people, targets = np.unique(cast.person[probe]), np.unique(cast.target[probe])
    if absent := sorted(set(targets.tolist()) - set(view.target_person.tolist())):
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"no evaluation photo of target {absent[0]!r}")
    clean, clean_seen = rows(view.clean, view.clean_found)
    after, after_seen = rows(view.protected, view.protected_found)
    photos, has = rows(view.targets)
    row, column = np.nonzero(cast.target[probe][:, None] == view.target_person[None, :])
    at = probe[row]
    before = np.where(clean_seen[at] & has[column], cosines(clean[probe], photos)[row, column], -np.inf)
    now = np.where(after_seen[at] & has[column], cosines(after[probe], photos)[row, column], -np.inf)
    found = clean_seen[at] & after_seen[at] & has[column]
    person, target = indices(cast.person[at], people), indices(cast.target[at], targets)
    return Aimed(at, person, target, Scores(before, now, found), people, targets)


def by_target(kind: Kind, pairs: Aimed, tau: float) -> Floats:
    """(T,) identity-macro mean of each target."""
    upper, lower = parts(kind, pairs.scores.clean > tau, pairs.scores.protected > tau)
    found = np.empty(len(pairs.targets))
    for j in range(len(found)):
        at = pairs.target == j
        names, person = np.unique(pairs.person[at], return_inverse=True)
        found[j] = macro(upper[at], lower[at], person.astype(np.int64), len(names))
    return found


def replicates(kind: Kind, pairs: Aimed, taus: Taus, seed: int) -> Floats:
    """(R,) the mean over drawn targets of the mean over drawn people, at the threshold of the replicate."""
    people = drawn(seed, "people", len(pairs.people))
    weights = drawn(seed, "targets", len(pairs.targets)).astype(np.float64)
    total, weight = np.zeros(REPLICATES), np.zeros(REPLICATES)
    for j in range(len(pairs.targets)):
        at = pairs.target == j
        names, person = np.unique(pairs.person[at], return_inverse=True)
        scores = Scores(pairs.scores.clean[at], pairs.scores.protected[at], pairs.scores.found[at])
        own = macro_replicates(scores, taus.replicates, people[:, names], person.astype(np.int64), partial(parts, kind))
        has = np.isfinite(own)
        total += np.where(has, weights[:, j] * np.where(has, own, 0.0), 0.0)
        weight += np.where(has, weights[:, j], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / weight)


@dataclass(frozen=True)
class _Impersonation(Metric):
    """What the three share."""

    face: str = FACE
    far: float = FAR
    threshold: Rule = THRESHOLD
    transform: Transform = TRANSFORM
    people: int = PEOPLE

    kind: ClassVar[Kind]

    def needs(self) -> tuple[Need, ...]:
        return (Need("cast"), needed(self.face, self.transform))

    def measure(self, evidence: Evidence) -> Measurement:
        view = view_of(evidence, self.face, self.transform)
        pairs = aimed(view, cast_of(evidence))
        taus = taus_of(view, self.far, self.threshold, evidence.seed, self.people)
        each = by_target(self.kind, pairs, taus.value)
        value, people = float(each.mean()), len(pairs.people)
        units = replicate_units(replicates(self.kind, pairs, taus, evidence.seed), value)
        spread = {"min": each.min(), "median": np.median(each), "max": each.max()}
        beside = {
            **taus.companions,
            "targets": Measurement(float(len(each)), len(each), None),
            **{f"target_{name}": Measurement(float(v), len(each), None) for name, v in spread.items()},
        }
        if taus.calibrated is not None:
            own = by_target(self.kind, pairs, taus.calibrated.value)
            beside["calibrated"] = Measurement(float(own.mean()), people, None)
        if len(each) < FEW_TARGETS:
            beside["few_targets"] = Measurement(float(len(each)), len(each), None)
        lost = np.unique(pairs.probe[~view.protected_found[pairs.probe]])
        if len(lost):
            beside["fta"] = Measurement(float(len(lost)), len(np.unique(pairs.probe)), None)
        upper, lower = parts(self.kind, pairs.scores.clean > taus.value, pairs.scores.protected > taus.value)
        below = np.bincount(pairs.probe, weights=lower, minlength=len(evidence.items))
        at = np.flatnonzero(below > 0)
        shown = np.bincount(pairs.probe, weights=upper, minlength=len(evidence.items))[at] / below[at]
        items = evidence.items.keys[at], cast_of(evidence).person[at].astype(np.str_), shown
        return Measurement(value, people, units, items, beside)


@metric(
    "imp.raw.{face}",
    unit="share of probes",
    direction=Direction.HIGHER,
    estimator=Estimator.PROPORTION,
    ideal=1.0,
    right=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class Impersonation(_Impersonation):
    """Share of protected photos accepted as the person they are to be taken for."""

    kind = "raw"


@metric(
    "imp.clean.{face}",
    unit="share of probes",
    direction=Direction.NONE,
    estimator=Estimator.PROPORTION,
    source=SOURCE,
)
@dataclass(frozen=True)
class ImpersonationClean(_Impersonation):
    """Share of unprotected photos accepted as somebody else's: what the threshold gives away."""

    kind = "clean"


@metric(
    "imp.gain.{face}",
    unit="difference of shares",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    ideal=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class ImpersonationGain(_Impersonation):
    """Acceptance as the target after protection minus before."""

    kind = "gain"
