"""An attacker who learns: a linear head trained on the protected gallery, beside the nearest neighbour.

Ridge regression of one-hot people on vectors of length 1 and a constant, closed form: W = (XᵀX + λ n I)⁻¹ XᵀY.
The attacker collected everybody's protected photos and asks with clean ones; protection is the share of clean probes
given to somebody else. `nearest` is the same with the nearest photo, `clean` with a head trained on clean photos: what
is beyond it is protection. FaceCure's lesson: .97 against a nearest neighbour fell to .03 against an attacker trained
on cloaks. Source: face_privacy.md sections 4.3 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.faces.averages import averaged
from harness.metrics.faces.choices import FACE, TRANSFORM
from harness.metrics.faces.gallery import Enrolled, enrolled
from harness.metrics.faces.ranking import ranks
from harness.metrics.faces.transforms import Transform
from harness.metrics.faces.view import FaceView, cast_of, cosines, needed, rows, view_of
from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import CannotMeasure, Direction, Evidence, Measurement, Metric, Need, ScoreStatus, metric
from harness.options import option
from harness.stats.units import Estimator


def ridge_head(vectors: Floats, label: Ints, classes: int, ridge: float) -> Floats:
    """(D + 1, classes) weights, the last row a constant, of photos vectors (n, D) of people label (n,)."""
    x, y = np.append(vectors, np.ones((len(vectors), 1)), axis=1), np.eye(classes)[label]
    return np.asarray(np.linalg.solve(x.T @ x + ridge * len(x) * np.eye(x.shape[1]), x.T @ y))


def head_scores(weights: Floats, vectors: Floats) -> Floats:
    """(m, classes) what the head says of vectors (m, D), to 10 digits: equal people tie."""
    return np.asarray(np.round(vectors @ weights[:-1] + weights[-1], 10))


@metric(
    "id.linear_head.{face}",
    unit="share of clean probes",
    direction=Direction.HIGHER,
    estimator=Estimator.PROPORTION,
    ideal=1.0,
    right=1.0,
    source="arXiv 2106.14851; face_privacy.md section 7",
)
@dataclass(frozen=True)
class LinearHead(Metric):
    """Share of clean photos that an attacker trained on protected ones gives to somebody else."""

    face: str = FACE
    ridge: float = option(0.001, above=0, help="λ, a share of the number of photos", source="ours")
    transform: Transform = TRANSFORM

    def needs(self) -> tuple[Need, ...]:
        return (Need("cast"), needed(self.face, self.transform))

    def measure(self, evidence: Evidence) -> Measurement:
        view = view_of(evidence, self.face, self.transform)
        who = enrolled(cast_of(evidence), evidence.items.keys)
        people = who.people[who.person]
        learnt, nearest = self._missed(view, who, protected=True)
        clean, _ = self._missed(view, who, protected=False)
        one, near, before = (
            averaged(v, np.ones(len(v)), people, evidence.seed, "no probe photos") for v in (learnt, nearest, clean)
        )
        beside = {
            "nearest": Measurement(near.value, near.n, near.units),
            "clean": Measurement(before.value, before.n, before.units),
        }
        return Measurement(one.value, one.n, one.units, (evidence.items.keys[who.probe], people, learnt), beside)

    def _missed(self, view: FaceView, who: Enrolled, *, protected: bool) -> tuple[Floats, Floats]:
        """(n,) 1 where the head, and where the nearest photo, names somebody else. A lost probe is named by nobody."""
        gallery, has = rows(view.protected, view.protected_found) if protected else rows(view.clean, view.clean_found)
        probe, seen = rows(view.clean, view.clean_found)
        strangers, there = rows(view.distractors)
        own, at = has[who.photo], who.probe
        vectors = np.concatenate([gallery[who.photo][own], strangers[there].reshape(-1, gallery.shape[1])])
        if not own.any():
            raise CannotMeasure(ScoreStatus.UNDEFINED, "no_faces: no gallery photo holds a face to learn from")
        further = len(who.people) + np.arange(int(there.sum()))
        label = np.concatenate([who.owner[own], further]).astype(np.int64)
        classes = len(who.people) + len(further)
        told = head_scores(ridge_head(vectors, label, classes, self.ridge), probe[at])
        photos = cosines(probe[at], vectors)
        near = np.full((len(at), classes), -np.inf)
        for column in range(len(label)):
            near[:, label[column]] = np.maximum(near[:, label[column]], photos[:, column])
        return tuple(  # type: ignore[return-value]
            ((ranks(np.where(seen[at][:, None], scores, -np.inf), who.person) > 0) * 1.0) for scores in (told, near)
        )
