"""Mated pairs of a cast: every probe with every gallery photo of the same person, and averages over people.

The identity-macro average is the mean over people of the mean over their pairs: a person with many photos counts once.
Source: face_privacy.md section 8.4; T14.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.faces.view import GALLERY, PROBE, Bools, Cast, FaceView, paired_cosines, rows
from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import CannotMeasure, ScoreStatus

Side = Literal["clean", "E", "P", "B"]
Parts = Callable[[Bools, Bools], tuple[Floats, Floats]]
"""(clean accepted, protected accepted), arrays of one shape → numerator and denominator, of that shape."""

_CELLS = 1 << 20  # of a block of replicates x pairs


@dataclass(frozen=True)
class Pairs:
    """probe, gallery (V,) positions among the items; person (V,) position in `people` (P,), sorted names."""

    probe: Ints
    gallery: Ints
    person: Ints
    people: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.probe)


def mated_pairs(cast: Cast) -> Pairs:
    """Raises CannotMeasure (R5) where a probe has no mate in the gallery, or where there is no probe."""
    probes, gallery = np.flatnonzero(cast.role == PROBE), np.flatnonzero(cast.role == GALLERY)
    if len(probes) == 0:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "no probe photos")
    people, person = np.unique(cast.person[probes], return_inverse=True)
    same = cast.person[probes][:, None] == cast.person[gallery][None, :]
    if not (mates := same.any(axis=1)).all():
        alone = str(cast.person[probes][~mates][0])
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH,
            f"R5: {int((~mates).sum())} probes have no gallery photo of the same person ({alone!r})",
        )
    row, column = np.nonzero(same)
    return Pairs(probes[row], gallery[column], person[row].astype(np.int64), people)


@dataclass(frozen=True)
class Scores:
    """Scores (V,) of mated pairs, -inf where a face was not found: clean with clean, and under the protocol.

    found  (V,) whether all photos that either score reads hold a face
    """

    clean: Floats
    protected: Floats
    found: Bools


def pair_scores(view: FaceView, pairs: Pairs, protocol: Side) -> Scores:
    """protocol  clean: none protected; E protected probe, clean gallery; P clean probe, protected gallery; B both."""
    clean, clean_seen = rows(view.clean, view.clean_found)
    after, after_seen = rows(view.protected, view.protected_found)
    sides = {"clean": (clean, clean), "E": (after, clean), "P": (clean, after), "B": (after, after)}[protocol]
    seen = {
        "clean": (clean_seen, clean_seen),
        "E": (after_seen, clean_seen),
        "P": (clean_seen, after_seen),
        "B": (after_seen, after_seen),
    }[protocol]
    before = clean_seen[pairs.probe] & clean_seen[pairs.gallery]
    now = seen[0][pairs.probe] & seen[1][pairs.gallery]
    return Scores(
        np.where(before, paired_cosines(clean[pairs.probe], clean[pairs.gallery]), -np.inf),
        np.where(now, paired_cosines(sides[0][pairs.probe], sides[1][pairs.gallery]), -np.inf),
        before & now,
    )


def per_pair(person: Ints, people: int) -> Floats:
    """(V,) one over the number of pairs of the pair's person: sums are then sums over people of their means."""
    return 1.0 / np.bincount(person, minlength=people)[person]


def macro(numerator: Floats, denominator: Floats, person: Ints, people: int) -> float:
    """Ratio of the two identity-macro averages of values (V,), NaN where the denominator is 0."""
    share = per_pair(person, people)
    below = float(share @ denominator)
    return float(share @ numerator) / below if below > 0 else float("nan")


def macro_replicates(scores: Scores, taus: Floats, weights: Ints, person: Ints, parts: Parts) -> Floats:
    """(R,) the ratio in every replicate: its threshold taus (R,), its copies of each person weights (R, P)."""
    share, result = per_pair(person, weights.shape[1]), np.empty(len(taus))
    step = max(1, _CELLS // max(1, len(person)))
    for start in range(0, len(taus), step):
        block = slice(start, start + step)
        tau = taus[block][:, None]
        upper, lower = parts(scores.clean[None, :] > tau, scores.protected[None, :] > tau)
        weight = weights[block][:, person] * share
        with np.errstate(invalid="ignore", divide="ignore"):
            result[block] = (weight * upper).sum(axis=1) / (weight * lower).sum(axis=1)
    return result
