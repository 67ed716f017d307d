"""The measures of PrivacyGAN's evaluation (arXiv 2310.12590), recall and mean rank, corrected and as published.

Queries m.i.: modified photos against the originals and further people; o.i.: originals against everybody's modified
photos and further people. corrected: a hit is any photo of the same person among the first k. published: what the code
of the paper does (mzameshina/Image-Privacy@1cfd2f2): one position of the gallery counts, the other photos of the person
push it down, so recall is too low and privacy overstated; and the line "Percentage: o.i." of the mean rank prints the
value of m.i. Which position counts is ours: the person's first gallery photo. Transfer is the mean recall over both
query kinds and all recognisers that were not optimised. Source: face_privacy.md section 3. Traps: T10.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from harness.metrics.faces.averages import averaged
from harness.metrics.faces.choices import FACE
from harness.metrics.faces.gallery import Enrolled, enrolled
from harness.metrics.faces.names import STRONG
from harness.metrics.faces.ranking import image_ranks, tracked_ranks
from harness.metrics.faces.resampling import replicate_units
from harness.metrics.faces.view import FaceView, cast_of, cosines, needed, rows, view_of
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
from harness.options import option
from harness.stats.units import Estimator

Queries = Literal["m.i.", "o.i."]
Form = Literal["corrected", "published"]
SOURCE = "arXiv 2310.12590; face_privacy.md section 3"
K: Any = option(10, at_least=1, unit="ranks", help="found when among so many photos", source="arXiv 2310.12590")
QUERIES: Any = option("m.i.", help="m.i.: modified photos query originals; o.i.: originals query modified photos")
FORM: Any = option("corrected", help="corrected: any photo of the person is right; published: one is, by its bug")


def photo_ranks(view: FaceView, who: Enrolled, queries: Queries, form: Form) -> tuple[Ints, int]:
    """Ranks (n,) of the probes among all photos, and how many photos there are; a lost face has the worst rank."""
    clean, after = rows(view.clean, view.clean_found), rows(view.protected, view.protected_found)
    (probe, seen), (photo, has) = (after, clean) if queries == "m.i." else (clean, after)
    strangers, there = rows(view.distractors)
    gallery = np.concatenate([photo[who.photo], strangers.reshape(len(strangers), photo.shape[1])])
    scores = np.where(np.concatenate([has[who.photo], there]), cosines(probe[who.probe], gallery), -np.inf)
    scores[~seen[who.probe]] = -np.inf
    if form == "published":
        return tracked_ranks(scores, np.searchsorted(who.owner, who.person)), len(gallery)
    mates = np.zeros(scores.shape, dtype=bool)
    mates[:, : len(who.photo)] = who.person[:, None] == who.owner[None, :]
    return image_ranks(scores, mates), len(gallery)


def _averaged(value: Floats, who: Enrolled, evidence: Evidence) -> Measurement:
    people = who.people[who.person]
    found = averaged(value, np.ones(len(value)), people, evidence.seed, "no probe photos")
    return replace(found, items=(evidence.items.keys[who.probe], people, value))


@metric(
    "privacygan.recall.{face}",
    unit="share of probes",
    direction=Direction.LOWER,
    estimator=Estimator.PROPORTION,
    ideal=0.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class Recall(Metric):
    """Share of queries that find their person among the first k photos, as in PrivacyGAN's evaluation."""

    face: str = FACE
    k: int = K
    queries: Queries = QUERIES
    form: Form = FORM

    def needs(self) -> tuple[Need, ...]:
        return (Need("cast"), needed(self.face))

    def measure(self, evidence: Evidence) -> Measurement:
        view, who = view_of(evidence, self.face), enrolled(cast_of(evidence), evidence.items.keys)
        rank, size = photo_ranks(view, who, self.queries, self.form)
        found = _averaged((rank < self.k).astype(np.float64), who, evidence)
        return replace(found, companions={"gallery": Measurement(float(size), size, None)})


@metric(
    "privacygan.mean_rank.{face}",
    unit="share of the gallery",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    source=SOURCE,
)
@dataclass(frozen=True)
class MeanRank(Metric):
    """Mean rank, from 1, of the person's best photo as a share of the gallery."""

    face: str = FACE
    queries: Queries = QUERIES
    form: Form = FORM

    def needs(self) -> tuple[Need, ...]:
        return (Need("cast"), needed(self.face))

    def measure(self, evidence: Evidence) -> Measurement:
        view, who = view_of(evidence, self.face), enrolled(cast_of(evidence), evidence.items.keys)
        printed: Queries = "m.i." if self.form == "published" else self.queries  # its second bug
        rank, size = photo_ranks(view, who, printed, self.form)
        return _averaged(np.minimum(rank + 1, size) / size, who, evidence)


@metric(
    "privacygan.transfer",
    unit="share of probes",
    direction=Direction.LOWER,
    estimator=Estimator.PROPORTION,
    ideal=0.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class PaperTransfer(Metric):
    """Mean recall, both query kinds, over the recognisers that were not optimised."""

    recognisers: str = option("+".join(STRONG), help="targets, joined by +; those the method optimised are left out")
    k: int = K
    form: Form = FORM

    def targets(self) -> tuple[str, ...]:
        """Names of the recognisers."""
        return tuple(dict.fromkeys(name.strip() for name in self.recognisers.split("+") if name.strip()))

    def needs(self) -> tuple[Need, ...]:
        return (Need("cast"), *(needed(name) for name in self.targets()))

    def measure(self, evidence: Evidence) -> Measurement:
        optimised = cast_of(evidence).surrogates
        others = [name for name in self.targets() if name not in optimised]
        if not others:
            raise CannotMeasure(ScoreStatus.UNDEFINED, "no_held_out: every recogniser listed was optimised")
        kinds: tuple[Queries, ...] = ("m.i.", "o.i.")
        found = [Recall(name, k=self.k, queries=q, form=self.form).measure(evidence) for name in others for q in kinds]
        value = float(np.mean([f.value for f in found]))
        units = [f.units.value for f in found if f.units is not None]
        whole = replicate_units(np.mean(units, axis=0), value) if len(units) == len(found) else None
        beside = {
            name: Measurement(float(np.mean([f.value for f in found[2 * i : 2 * i + 2]])), found[0].n, None)
            for i, name in enumerate(others)
        }
        return Measurement(value, found[0].n, whole, None, beside)
