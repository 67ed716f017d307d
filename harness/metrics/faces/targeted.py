"""Targeted identification: is the impersonation target among the first k of a gallery that holds another photo of them?

Targets are enrolled with their evaluation photos. Success 1[#{j ≠ t: S(p, j) ≥ S(p, t)} < k]: ties count against the
attacker, and a photo without a face found fails. The clean value is subtracted: somebody may look like their target
anyway. Source: face_privacy.md section 8.5. Traps: T11, T20.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.metrics.faces.averages import averaged
from harness.metrics.faces.choices import FACE, TRANSFORM, K
from harness.metrics.faces.gallery import Enrolled, best_scores, enrolled, photo_scores
from harness.metrics.faces.ranking import target_ranks
from harness.metrics.faces.transforms import Transform
from harness.metrics.faces.view import FaceView, cast_of, cosines, indices, needed, rows, view_of
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


def with_targets(view: FaceView, who: Enrolled, target: NDArray[np.str_], protected: bool) -> tuple[Floats, Ints]:
    """Scores (n, people + K + T) of probes with everybody, the target's column of each probe (n,).

    target  (n,) names, every one with an evaluation photo
    """
    scores = best_scores(photo_scores(view, who, "E" if protected else None)[0], who)
    probe = rows(view.protected, view.protected_found) if protected else rows(view.clean, view.clean_found)
    photos, has = rows(view.targets)
    theirs = np.where(has, cosines(probe[0][who.probe], photos), -np.inf)
    theirs[~probe[1][who.probe]] = -np.inf
    names = np.unique(view.target_person)
    best = np.stack([theirs[:, view.target_person == name].max(axis=1) for name in names], axis=1)
    known = indices(names, who.people)
    for j in np.flatnonzero(known >= 0):  # a target who is in the gallery anyway is one person, not two
        scores[:, known[j]] = np.maximum(scores[:, known[j]], best[:, j])
    added = np.flatnonzero(known < 0)
    column = np.where(known >= 0, known, 0)
    column[added] = scores.shape[1] + np.arange(len(added))
    return np.concatenate([scores, best[:, added]], axis=1), column[indices(target, names)]


@metric(
    "id.targeted.{face}",
    unit="difference of shares",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    ideal=1.0,
    source="face_privacy.md section 8.5",
)
@dataclass(frozen=True)
class Targeted(Metric):
    """Share of protected photos that find their impersonation target among the first k, minus that of clean photos."""

    face: str = FACE
    k: int = K
    transform: Transform = TRANSFORM

    def needs(self) -> tuple[Need, ...]:
        return (Need("cast"), needed(self.face, self.transform))

    def measure(self, evidence: Evidence) -> Measurement:
        view, cast = view_of(evidence, self.face, self.transform), cast_of(evidence)
        every = enrolled(cast, evidence.items.keys)
        aim = cast.target[every.probe]
        chosen = aim != ""
        if not chosen.any():
            raise CannotMeasure(ScoreStatus.UNDEFINED, "no_targets: no probe is to be taken for somebody else")
        if absent := sorted(set(aim[chosen].tolist()) - set(view.target_person.tolist())):
            raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"no evaluation photo of target {absent[0]!r}")
        who = replace(every, probe=every.probe[chosen], person=every.person[chosen])
        now, clean = (
            (target_ranks(*with_targets(view, who, aim[chosen], side)) < self.k).astype(np.float64)
            for side in (True, False)
        )
        people, ones = who.people[who.person], np.ones(len(now))
        value = averaged(now - clean, ones, people, evidence.seed, "", share=False)
        raw, before = (averaged(v, ones, people, evidence.seed, "") for v in (now, clean))
        beside = {"raw": Measurement(raw.value, raw.n, raw.units), "clean": Measurement(before.value, before.n, None)}
        items = evidence.items.keys[who.probe], people, now - clean
        return Measurement(value.value, value.n, value.units, items, beside)
