"""People of a folder `person/photo.jpg` as a face set: dealt out by the folder's content alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.data.face_photos import FacePhotos
from harness.data.face_set import FaceSet, People
from harness.data.face_split import Dealt, Plan, deal
from harness.metrics.faces.manifest import ROLES, Row, check


def folder_people(photos: FacePhotos, plan: Plan, seed: int = 0) -> tuple[FaceSet, Dealt]:
    """Users person by person, probes before gallery, and everybody else. Raises TooFewPeople, BrokenSplit.

    A person who is to be taken for is given to the users in turn; "" where the folder has no targets.
    """
    rows = photos.usable
    dealt = deal(rows, photos.manifest_hash, seed, plan)
    person = np.array([r.person for r in rows], dtype=np.str_)
    role = np.array(dealt.roles, dtype=np.str_)
    known: dict[str, Any] = {r: r for r in ROLES}
    check(  # R1 to R5 hold by the way people are dealt; a split that broke one must not be scored
        [
            Row(r.image_id, r.sha256, r.person, known[of], dup_group=r.dup_group, hash=f"{r.hash_bits:016x}")
            for r, of in zip(rows, dealt.roles, strict=True)
            if of in known
        ]
    )

    def of(*roles: str) -> People:
        chosen = np.flatnonzero(np.isin(role, roles))
        chosen = chosen[np.argsort(person[chosen], kind="stable")]
        return People(photos.frames[chosen], person[chosen])

    chosen = np.flatnonzero(np.isin(role, ("probe", "gallery")))
    order = chosen[np.lexsort((role[chosen] != "probe", person[chosen]))]
    users = People(photos.frames[order], person[order])
    aims, seen = of("target_opt"), of("target_eval")
    names = list(dict.fromkeys(users.person.tolist()))
    turn = {name: aims.person[i % len(aims)] if len(aims) else "" for i, name in enumerate(names)}
    spare = {str(person[i]): i for i in np.flatnonzero(role == "other")[::-1]}
    complete = all(name in spare for name in names)
    return FaceSet(
        users=users,
        role=role[order],
        target=np.array([turn[name] for name in users.person.tolist()], dtype=np.str_),
        other=photos.frames[[spare[name] for name in users.person.tolist()]] if complete else None,
        calibration=of("calib"),
        distractors=of("distractor"),
        decoys=of("decoy"),
        target_opt=aims,
        target_eval=seen,
        consent=photos.consent,
        image_id=tuple(rows[i].image_id for i in order),
    ), dealt
