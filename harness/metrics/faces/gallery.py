"""Who is enrolled: gallery people with their photos, and the scores of probes against them under a protocol.

E: protected probes, clean gallery. P: clean probes; of each user in turn the own gallery photos are protected, a share
of them if so asked, everybody else's are clean. B: P with protected probes. Distractors are people with one clean
photo each. Source: face_privacy.md section 8.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.faces.choices import Protocol
from harness.metrics.faces.ranking import image_ranks, ranks
from harness.metrics.faces.view import GALLERY, PROBE, Bools, Cast, FaceView, cosines, indices, rows
from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import CannotMeasure, ScoreStatus

Template = Literal["max", "mean", "image"]


@dataclass(frozen=True)
class Enrolled:
    """Probes and gallery of a cast.

    probe (n,), photo (g,) positions among the items;  person (n,) of a probe, owner (g,) of a photo: positions in
    `people`, the sorted names of those with a probe or a gallery photo;  protected (g,) photos of the share that a
    user protects, the first ones in the order of their names
    """

    probe: Ints
    photo: Ints
    person: Ints
    owner: Ints
    people: NDArray[np.str_]
    protected: Bools


@dataclass(frozen=True)
class Ranked:
    """clean, now  (n,) ranks of the probes before and under the protocol;  found (n,) whether no photo that decides was
    lost;  size  people (photos with template `image`) in the gallery"""

    clean: Ints
    now: Ints
    found: Bools
    size: int


def enrolled(cast: Cast, keys: NDArray[np.str_], share: float = 1.0) -> Enrolled:
    """keys (N,) names of the items. Raises CannotMeasure (R5) for a probe without a mate, or without any probe."""
    probe, photo = np.flatnonzero(cast.role == PROBE), np.flatnonzero(cast.role == GALLERY)
    if len(probe) == 0:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "no probe photos")
    photo = photo[np.lexsort((keys[photo], cast.person[photo]))]
    people = np.unique(np.concatenate([cast.person[probe], cast.person[photo]]))
    person, owner = indices(cast.person[probe], people), indices(cast.person[photo], people)
    counts = np.bincount(owner, minlength=len(people))
    if (counts[person] == 0).any():
        alone = str(people[person[counts[person] == 0][0]])
        text = f"R5: {int((counts[person] == 0).sum())} probes have no gallery photo of the same person ({alone!r})"
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, text)
    start = np.searchsorted(owner, owner)
    wanted = np.array([-(-Fraction(str(share)) * int(n) // 1) for n in counts], dtype=np.int64)  # rounded up
    return Enrolled(probe, photo, person, owner, people, np.arange(len(photo)) - start < wanted[owner])


def photo_scores(view: FaceView, who: Enrolled, protocol: Protocol | None) -> tuple[Floats, Bools]:
    """Scores (n, g + K) of probes with gallery photos and distractors, -inf where a face is lost; who was seen (n,).

    protocol  None: everything clean
    """
    clean, clean_seen = rows(view.clean, view.clean_found)
    after, after_seen = rows(view.protected, view.protected_found)
    probe, seen = (clean, clean_seen) if protocol in (None, "P") else (after, after_seen)
    strangers, has = rows(view.distractors)
    others = np.concatenate([clean[who.photo], strangers.reshape(len(strangers), clean.shape[1])])
    scores = cosines(probe[who.probe], others)
    scores[:, ~np.concatenate([clean_seen[who.photo], has])] = -np.inf
    if protocol in ("P", "B"):
        row, column = np.nonzero((who.person[:, None] == who.owner[None, :]) & who.protected[None, :])
        mine = np.round(np.einsum("nd,nd->n", probe[who.probe[row]], after[who.photo[column]]), 12)
        scores[row, column] = np.where(after_seen[who.photo[column]], mine, -np.inf)
    scores[~seen[who.probe]] = -np.inf
    return scores, seen[who.probe]


def mean_scores(view: FaceView, who: Enrolled, protocol: Protocol | None) -> Floats:
    """Scores (n, people + K) of probes with the mean of each person's gallery photos, -inf where none holds a face."""
    clean, clean_seen = rows(view.clean, view.clean_found)
    after, after_seen = rows(view.protected, view.protected_found)
    probe, seen = (clean, clean_seen) if protocol in (None, "P") else (after, after_seen)
    strangers, _ = rows(view.distractors)
    templates = np.concatenate([_means(clean[who.photo], who), strangers.reshape(len(strangers), clean.shape[1])])
    scores = cosines(probe[who.probe], templates)
    scores[:, ~templates.any(axis=1)] = -np.inf
    if protocol in ("P", "B"):
        mixed = np.where(who.protected[:, None], after[who.photo], clean[who.photo])
        own = _means(mixed * np.where(who.protected, after_seen[who.photo], clean_seen[who.photo])[:, None], who)
        mine = np.round(np.einsum("nd,nd->n", probe[who.probe], own[who.person]), 12)
        lost = ~own[who.person].any(axis=1)
        scores[np.arange(len(mine)), who.person] = np.where(lost, -np.inf, mine)
    scores[~seen[who.probe]] = -np.inf
    return scores


def _means(photos: Floats, who: Enrolled) -> Floats:
    """(people, D) unit mean of each person's photos, zeros without any."""
    total = np.zeros((len(who.people), photos.shape[1]))
    np.add.at(total, who.owner, photos)
    length = np.sqrt((total * total).sum(axis=1, keepdims=True))
    return np.where(length > 1e-12, total / np.maximum(length, 1e-12), 0.0)


def best_scores(photos: Floats, who: Enrolled) -> Floats:
    """(n, people + K) best score over each person's photos, from (n, g + K); -inf for people without any."""
    g = len(who.photo)
    best = np.full((len(photos), len(who.people)), -np.inf)
    if g:
        starts = np.flatnonzero(np.diff(who.owner, prepend=-1))
        best[:, who.owner[starts]] = np.maximum.reduceat(photos[:, :g], starts, axis=1)
    return np.concatenate([best, photos[:, g:]], axis=1)


def ranked(view: FaceView, who: Enrolled, protocol: Protocol, template: Template) -> Ranked:
    """Ranks of every probe's person, clean and under the protocol."""
    own = _ranks(view, who, None, template), _ranks(view, who, protocol, template)
    (clean, seen_before, size), (now, seen_now, _) = own
    return Ranked(clean, now, seen_before & seen_now, size)


def _ranks(view: FaceView, who: Enrolled, protocol: Protocol | None, template: Template) -> tuple[Ints, Bools, int]:
    scores, _ = photo_scores(view, who, protocol)
    mates = np.zeros(scores.shape, dtype=bool)
    mates[:, : len(who.photo)] = who.person[:, None] == who.owner[None, :]
    seen = np.asarray(np.isfinite(np.where(mates, scores, -np.inf)).any(axis=1))
    if template == "image":
        return image_ranks(scores, mates), seen, scores.shape[1]
    people = best_scores(scores, who) if template == "max" else mean_scores(view, who, protocol)
    enrolled_people = len(np.unique(who.owner)) + scores.shape[1] - len(who.photo)
    return ranks(people, who.person), seen, enrolled_people
