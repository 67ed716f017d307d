"""What face metrics read: who the photos show (Cast), and what one recogniser sees of them (FaceView).

A photo in which a recogniser finds no face has a row of zeros and `found` False: it is counted (failure to acquire),
never dropped. Scores are cosines in float64, rounded to 12 digits: equal photos then have equal scores whatever the
blocks of the matrix product, so that ties are ties. Source: face_privacy.md section 8.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.inputs import Floats
from harness.metrics.metric import Array, CannotMeasure, Evidence, Need, ScoreStatus

Bools = NDArray[np.bool_]
Lineage = tuple[str, str, str]  # of weights, training set, architecture

PROBE, GALLERY = "probe", "gallery"
NONE = "none"  # the transform of photos that are left as they are
DIGITS = 12  # of a score; float32 vectors carry 7
LENGTH = 1e-3  # how far a row's length may be from 1


@dataclass(frozen=True)
class Cast:
    """Who the items show; arrays (N,) in the order of the items.

    person      str;  role  "probe" or "gallery";  target  person that a photo is to be taken for, "" where none
    surrogates  names of the recognisers that the cell's method optimised; lineages  of them, by name
    """

    person: NDArray[np.str_]
    role: NDArray[np.str_]
    target: NDArray[np.str_]
    surrogates: tuple[str, ...] = ()
    lineages: Mapping[str, Lineage] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.person)


@dataclass(frozen=True)
class FaceView:
    """Vectors (…, D) float32 of one recogniser, rows of length 1, or zeros where it found no face.

    protected, clean  (N, D) the items after and before the method;  *_found (N,)
    calibration       (C, D) photos of people in no other part, calibration_person (C,)
    distractors       (K, D) gallery photos of further people, one each
    targets           (T, D) evaluation photos of impersonation targets, target_person (T,)
    """

    name: str
    identity: str
    lineage: Lineage
    released: str
    protected: Array
    protected_found: Bools
    clean: Array
    clean_found: Bools
    calibration: Array
    calibration_person: NDArray[np.str_]
    distractors: Array
    targets: Array
    target_person: NDArray[np.str_]


def needed(face: str, transform: str = NONE) -> Need:
    """What to ask for to get `view_of(evidence, face, transform)`."""
    return Need("faces", name=face) if transform == NONE else Need("faces", transform, face)


def cast_of(evidence: Evidence) -> Cast:
    """Raises CannotMeasure when absent, empty, or not one entry an item."""
    cast = evidence.cast
    if cast is None:
        raise CannotMeasure(ScoreStatus.FAILED, "who the photos show: not brought by the scorer")
    n = len(evidence.items)
    if n == 0:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "no photos")
    if not len(cast.person) == len(cast.role) == len(cast.target) == n:
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"a cast of {len(cast)} for {n} photos")
    if strange := set(cast.role.tolist()) - {PROBE, GALLERY}:
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"unknown role {min(strange)!r} of a photo")
    return cast


def view_of(evidence: Evidence, face: str, transform: str = NONE) -> FaceView:
    """Raises CannotMeasure when absent, not finite, not one row an item, or when calibration people are scored too."""
    view: FaceView | None = evidence.faces.get((face, "" if transform == NONE else transform))
    what = f"recogniser {face!r}" + ("" if transform == NONE else f" after {transform}")
    if view is None:
        raise CannotMeasure(ScoreStatus.FAILED, f"vectors of {what}: not brought by the scorer")
    cast = cast_of(evidence)
    for own in (view.protected, view.protected_found, view.clean, view.clean_found):
        if len(own) != len(cast):
            raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"{len(own)} vectors of {what} for {len(cast)} photos")
    both = set(view.calibration_person.tolist())
    for role, people in (("scored", cast.person), ("impersonation target", view.target_person)):
        if shared := sorted(both & set(people.tolist())):
            raise CannotMeasure(
                ScoreStatus.PROTOCOL_MISMATCH,
                f"R1: {len(shared)} calibration people are {role} people too ({shared[0]!r}); calibrate on others",
            )
    return view


def rows(vectors: Array, found: Bools | None = None) -> tuple[Floats, Bools]:
    """Unit rows in float64 and which of them hold a face.

    found  None: every row that is not all zero. Raises CannotMeasure for NaN, and for lengths other than 1.
    """
    wide = np.asarray(vectors, dtype=np.float64)
    if not np.isfinite(wide).all():
        bad = int((~np.isfinite(wide)).any(axis=1).sum())
        raise CannotMeasure(ScoreStatus.FAILED, f"{bad} of {len(wide)} face vectors hold NaN or infinity")
    length = np.sqrt((wide * wide).sum(axis=1))
    seen = length > 0 if found is None else np.asarray(found, dtype=bool)
    if (np.abs(length[seen] - 1.0) > LENGTH).any():
        worst = length[seen][np.abs(length[seen] - 1.0).argmax()]
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH, f"a face vector has length {worst:.4g}; a recogniser gives rows of length 1"
        )
    unit = np.zeros_like(wide)
    unit[seen] = wide[seen] / length[seen][:, None]
    return unit, seen


def cosines(a: Floats, b: Floats) -> Floats:
    """(n, m) scores of unit rows a (n, D) and b (m, D), to 12 digits."""
    return np.round(a @ b.T, DIGITS)


def paired_cosines(a: Floats, b: Floats) -> Floats:
    """(n,) scores of rows a and b (n, D), pair by pair, to 12 digits."""
    return np.asarray(np.round(np.einsum("nd,nd->n", a, b), DIGITS))


def indices(names: NDArray[np.str_], among: NDArray[np.str_]) -> NDArray[Any]:
    """Position of each name in the sorted `among`, -1 where it is not there."""
    if len(among) == 0:
        return np.full(len(names), -1)
    at = np.minimum(np.searchsorted(among, names), len(among) - 1)
    return np.where(among[at] == names, at, -1)
