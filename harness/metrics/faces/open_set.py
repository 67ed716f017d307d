"""Open-set identification: enrolled people who get away because no score is high enough to name anybody.

τ_id is calibrated on people who are not enrolled: the highest gallery score of each of their photos, at a false
positive identification rate f. FNIR: share of mated probes with a rank of at least 1 or a highest score ≤ τ_id. The
verification threshold is not re-used: the highest of G scores is larger than one. Source: face_privacy.md section 8.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from harness.metrics.faces.averages import means
from harness.metrics.faces.calibration import threshold
from harness.metrics.faces.choices import FACE, PROTOCOL, TRANSFORM, Protocol
from harness.metrics.faces.gallery import Enrolled, best_scores, enrolled, photo_scores
from harness.metrics.faces.pairs import macro
from harness.metrics.faces.ranking import ranks
from harness.metrics.faces.resampling import drawn, replicate_units
from harness.metrics.faces.transforms import Transform
from harness.metrics.faces.view import FaceView, cast_of, cosines, needed, rows, view_of
from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import Direction, Evidence, Measurement, Metric, Need, metric
from harness.options import option
from harness.stats.units import Estimator


def stranger_scores(view: FaceView, who: Enrolled) -> Floats:
    """(C,) highest gallery score of every calibration photo, in the order of their people's names."""
    unit, seen = rows(view.calibration)
    clean, has = rows(view.clean, view.clean_found)
    further, there = rows(view.distractors)
    gallery = np.concatenate([clean[who.photo][has[who.photo]], further[there].reshape(-1, clean.shape[1])])
    order = np.argsort(view.calibration_person[seen], kind="stable")
    return np.asarray(cosines(unit[seen][order], gallery).max(axis=1))


def replicate_taus(highest: Floats, copies: Ints, rate: float) -> Floats:
    """(R,) the threshold over strangers drawn `copies` (R, C) times each."""
    share, order = Fraction(str(rate)), np.argsort(-highest, kind="stable")
    counted = np.cumsum(copies[:, order], axis=1)
    allowed = (share.numerator * counted[:, -1]) // share.denominator
    return np.asarray(highest[order][(counted > allowed[:, None]).argmax(axis=1)])


@metric(
    "id.fnir.{face}",
    unit="share of mated probes",
    direction=Direction.HIGHER,
    estimator=Estimator.PROPORTION,
    ideal=1.0,
    right=1.0,
    source="face_privacy.md section 8.5",
)
@dataclass(frozen=True)
class OpenSet(Metric):
    """Share of enrolled people's protected photos that are not identified when strangers may be refused."""

    face: str = FACE
    rate: float = option(0.1, above=0, below=1, unit="share", help="false positive identification rate", source="ours")
    protocol: Protocol = PROTOCOL
    transform: Transform = TRANSFORM

    def needs(self) -> tuple[Need, ...]:
        return (Need("cast"), needed(self.face, self.transform))

    def measure(self, evidence: Evidence) -> Measurement:
        view = view_of(evidence, self.face, self.transform)
        who = enrolled(cast_of(evidence), evidence.items.keys)
        highest = stranger_scores(view, who)
        tau = threshold(highest, self.rate)
        taus = replicate_taus(highest, drawn(evidence.seed, "calibration", len(highest)), self.rate)
        people, number = np.unique(who.person, return_inverse=True)
        copies = drawn(evidence.seed, "people", len(people))
        found = []
        for protocol in (self.protocol, None):
            scores = best_scores(photo_scores(view, who, protocol)[0], who)
            first, best = ranks(scores, who.person) == 0, scores.max(axis=1)
            named = np.where(first, best, -np.inf)
            missed = (named <= tau).astype(np.float64)
            value = macro(missed, np.ones(len(missed)), number.astype(np.int64), len(people))
            each = np.array([copies[r] @ means((named <= t) * 1.0, number, len(people)) for r, t in enumerate(taus)])
            found.append((value, replicate_units(each / copies.sum(axis=1), value), missed))
        (value, units, missed), (before, before_units, _) = found
        beside = {
            "tau": Measurement(tau, len(highest), replicate_units(taus, tau)),
            "clean": Measurement(before, len(people), before_units),
        }
        items = evidence.items.keys[who.probe], who.people[who.person], missed
        return Measurement(value, len(people), units, items, beside)
