"""1:1 verification: is a protected photo still accepted as its person, at a threshold calibrated at a stated rate?

c = 1[s(x_p, x_g) > τ] clean, a = 1[s(x'_p, x_g) > τ] protected, over mated pairs, identity-macro averages E:
tar_clean E[c]; dodge_raw E[1 - a]; dodge_cond E[(1 - a) c] / E[c], the headline; dodge_gain E[c] - E[a];
leak E[a (1 - c)] / E[1 - c]; self: dodge_raw with both photos protected, whatever is clean.
Protocols are never averaged: E protected probe against clean gallery, P the other way round, B both protected.
A photo without a face found counts as not accepted (`fta: protected`) or leaves with its pairs (`excluded`); the other
number stands beside it. Source: face_privacy.md section 8.4. Traps: T5 to T7, T13, T14, T20, T23, T25.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.faces.averages import means, worst_tenth
from harness.metrics.faces.choices import FACE, FAR, PEOPLE, PROTOCOL, THRESHOLD, TRANSFORM, Fta, Protocol
from harness.metrics.faces.crosschecks import crosschecks, weakness
from harness.metrics.faces.pairs import (
    Pairs,
    Scores,
    Side,
    macro,
    macro_replicates,
    mated_pairs,
    pair_scores,
)
from harness.metrics.faces.resampling import drawn, replicate_units
from harness.metrics.faces.thresholds import Rule, Taus, taus_of
from harness.metrics.faces.transforms import Transform
from harness.metrics.faces.view import Bools, FaceView, cast_of, needed, view_of
from harness.metrics.inputs import Floats
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
from harness.options import option
from harness.stats.units import Estimator

RateName = Literal["tar_clean", "dodge_raw", "dodge_cond", "dodge_gain", "leak", "self"]
Texts = NDArray[np.str_]
SOURCE = "face_privacy.md section 8.4"

UNDEFINED = {
    "dodge_cond": "no_clean_match: no clean probe is accepted, so none can be protected",
    "leak": "no_clean_rejection: every clean probe is accepted, so nothing can leak",
}


def parts(name: RateName, c: Bools, a: Bools) -> tuple[Floats, Floats]:
    """What is averaged, numerator and denominator, of accepted clean c and protected a, arrays of one shape."""
    if name == "dodge_gain":
        return c.astype(np.float64) - a, np.ones(c.shape)
    upper = {"tar_clean": c, "dodge_raw": ~a, "self": ~a, "dodge_cond": ~a & c, "leak": a & ~c}[name]
    lower = {"dodge_cond": c, "leak": ~c}.get(name, np.ones_like(c))
    return upper.astype(np.float64), lower.astype(np.float64)


def rate(name: RateName, scores: Scores, tau: float, pairs: Pairs) -> float:
    """A rate at one threshold. Raises CannotMeasure where its denominator is 0."""
    upper, lower = parts(name, scores.clean > tau, scores.protected > tau)
    value = macro(upper, lower, pairs.person, len(pairs.people))
    if np.isnan(value):
        raise CannotMeasure(ScoreStatus.UNDEFINED, UNDEFINED[name])
    return value


def kept(pairs: Pairs, scores: Scores, fta: Fta) -> tuple[Pairs, Scores]:
    """All pairs, or (`excluded`) those whose photos all hold a face. Raises CannotMeasure where none is left."""
    if fta == "protected" or scores.found.all():
        return pairs, scores
    at = scores.found
    if not at.any():
        raise CannotMeasure(ScoreStatus.UNDEFINED, "no_faces: no pair has a face found in each of its photos")
    left = Pairs(pairs.probe[at], pairs.gallery[at], pairs.person[at], pairs.people)
    return left, Scores(scores.clean[at], scores.protected[at], scores.found[at])


def measured(name: RateName, pairs: Pairs, scores: Scores, taus: Taus, seed: int) -> Measurement:
    """A rate with its replicates; n is the number of people."""
    weights = drawn(seed, "people", len(pairs.people))
    value = rate(name, scores, taus.value, pairs)
    replicates = macro_replicates(scores, taus.replicates, weights, pairs.person, partial(parts, name))
    _, lower = parts(name, scores.clean > taus.value, scores.protected > taus.value)
    counted = 0 if name == "dodge_gain" else len(np.unique(pairs.person[lower > 0]))  # a difference is no share
    return Measurement(value, len(np.unique(pairs.person)), replicate_units(replicates, value, counted))


@dataclass(frozen=True)
class _Verification(Metric):
    """What the six rates share."""

    face: str = FACE
    far: float = FAR
    threshold: Rule = THRESHOLD
    fta: Fta = option("protected", help="a photo without a face found: not accepted, or left out with its pairs")
    transform: Transform = TRANSFORM
    people: int = PEOPLE

    rate_name: ClassVar[RateName]

    def needs(self) -> tuple[Need, ...]:
        return (Need("cast"), needed(self.face, self.transform))

    def side(self) -> Side:
        """The protocol whose scores are read."""
        return "clean"

    def measure(self, evidence: Evidence) -> Measurement:
        view, cast = view_of(evidence, self.face, self.transform), cast_of(evidence)
        pairs = mated_pairs(cast)
        taus = taus_of(view, self.far, self.threshold, evidence.seed, self.people)
        every = pair_scores(view, pairs, self.side())
        chosen, scores = kept(pairs, every, self.fta)
        found = measured(self.rate_name, chosen, scores, taus, evidence.seed)
        beside = {**taus.companions, "pairs": Measurement(float(len(chosen)), len(chosen), None)}
        if taus.calibrated is not None:
            own = rate(self.rate_name, scores, taus.calibrated.value, chosen)
            beside["calibrated"] = Measurement(own, found.n, None)
        if not every.found.all():
            beside |= self._failures(view, pairs, every, taus)
        beside |= weakness(pairs, every, taus)
        beside["worst_decile"] = self._worst(chosen, scores, taus.value)
        if self.rate_name == "tar_clean":
            beside |= crosschecks(view, cast, pairs, every, taus, evidence.seed)
        return Measurement(found.value, found.n, found.units, self._items(evidence, chosen, scores, taus.value), beside)

    def _worst(self, pairs: Pairs, scores: Scores, tau: float) -> Measurement:
        """Mean of the worst tenth of people: protection is uneven and a mean hides it."""
        upper, lower = parts(self.rate_name, scores.clean > tau, scores.protected > tau)
        above, below = (means(v, pairs.person, len(pairs.people)) for v in (upper, lower))
        sign = -1.0 if self.direction is Direction.LOWER else 1.0
        each = sign * above[below > 0] / below[below > 0]
        return Measurement(sign * worst_tenth(each), -(-len(each) // 10), None)

    def _failures(self, view: FaceView, pairs: Pairs, every: Scores, taus: Taus) -> dict[str, Measurement]:
        """How many photos have no face found after and before, and the value under the other policy."""
        asked = np.unique(np.concatenate([pairs.probe, pairs.gallery]))
        lost = {"fta": view.protected_found, "fta_clean": view.clean_found}
        found = {k: Measurement(float((~np.asarray(v)[asked]).sum()), len(asked), None) for k, v in lost.items()}
        other: Fta = "excluded" if self.fta == "protected" else "protected"
        try:
            left, scores = kept(pairs, every, other)
            value = rate(self.rate_name, scores, taus.value, left)
        except CannotMeasure:
            return found
        return {**found, f"fta_{other}": Measurement(value, len(np.unique(left.person)), None)}

    def _items(self, evidence: Evidence, pairs: Pairs, scores: Scores, tau: float) -> tuple[Texts, Texts, Floats]:
        """One value a probe photo: the rate over its own pairs; photos for which it is undefined are left out."""
        upper, lower = parts(self.rate_name, scores.clean > tau, scores.protected > tau)
        below = np.bincount(pairs.probe, weights=lower, minlength=len(evidence.items))
        total = np.bincount(pairs.probe, weights=upper, minlength=len(evidence.items))
        at = np.flatnonzero(below > 0)
        return evidence.items.keys[at], cast_of(evidence).person[at].astype(np.str_), total[at] / below[at]


@dataclass(frozen=True)
class _Protocolled(_Verification):
    protocol: Protocol = PROTOCOL

    def side(self) -> Side:
        return self.protocol


@metric(
    "ver.tar_clean.{face}",
    unit="share of mated pairs",
    direction=Direction.NONE,
    estimator=Estimator.PROPORTION,
    right=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class CleanAcceptance(_Verification):
    """Share of clean photos accepted as their person: what there is to protect from, with the checks of its τ."""

    rate_name = "tar_clean"


@metric(
    "ver.dodge_raw.{face}",
    unit="share of mated pairs",
    direction=Direction.HIGHER,
    estimator=Estimator.PROPORTION,
    ideal=1.0,
    right=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class DodgingRaw(_Protocolled):
    """Share of protected photos not accepted as their person, those included that never were."""

    rate_name = "dodge_raw"


@metric(
    "ver.dodge_cond.{face}",
    unit="share of pairs accepted when clean",
    direction=Direction.HIGHER,
    estimator=Estimator.RATIO,
    ideal=1.0,
    right=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class Dodging(_Protocolled):
    """Of the photos accepted as their person when clean, the share that is no longer when protected."""

    rate_name = "dodge_cond"


@metric(
    "ver.dodge_gain.{face}",
    unit="difference of shares",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    ideal=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class DodgingGain(_Protocolled):
    """Share accepted when clean minus share accepted when protected."""

    rate_name = "dodge_gain"


@metric(
    "ver.leak.{face}",
    unit="share of pairs rejected when clean",
    direction=Direction.LOWER,
    estimator=Estimator.RATIO,
    ideal=0.0,
    right=0.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class Leak(_Protocolled):
    """Of the photos rejected when clean, the share that is accepted as its person when protected."""

    rate_name = "leak"


@metric(
    "ver.self.{face}",
    unit="share of mated pairs",
    direction=Direction.HIGHER,
    estimator=Estimator.PROPORTION,
    ideal=1.0,
    right=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class SelfDodging(_Verification):
    """Share of pairs of protected photos of one person that are not accepted as each other."""

    rate_name = "self"

    def side(self) -> Side:
        return "B"
