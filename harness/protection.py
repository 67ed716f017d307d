"""Protecting a user's own photographs with a row of a suite: every usable photo is cloaked and put back whole.

OUT/person/photo.png   the photo with its face protected; what lies outside the face's frame keeps every byte
OUT/photos.csv         every file of the folder: its status, the reason, and what was done to read it
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.data.face_frames import paste_back
from harness.data.face_photos import FacePhotos
from harness.data.face_set import FaceSet, People
from harness.methods.method import Transform

if TYPE_CHECKING:
    from harness.tasks.face_cloaking import FaceCloaking

BLOCK = 48  # photos cloaked at a time
TABLE = "photos.csv"


def everybody(photos: FacePhotos) -> FaceSet:
    """All usable photographs as users; nobody calibrates, nobody is a target. One photo a person stands in
    the pool of decoys, so a folder of one person has nobody to move towards but themselves."""
    person = np.array([r.person for r in photos.usable], dtype=np.str_)
    first = np.sort(np.unique(person, return_index=True)[1])
    nobody = People(photos.frames[:0], person[:0])
    role = np.full(len(person), "probe", dtype=np.str_)
    return FaceSet(
        users=People(photos.frames, person),
        role=role,
        target=np.full(len(person), "", dtype=np.str_),
        other=None,
        calibration=nobody,
        distractors=nobody,
        decoys=People(photos.frames[first], person[first]),
        target_opt=nobody,
        target_eval=nobody,
        consent=photos.consent,
        image_id=tuple(r.image_id for r in photos.usable),
    )


def protect(
    task: FaceCloaking,
    method: Transform,
    session: Any,
    photos: FacePhotos,
    out: Path,
    *,
    seed: int,
    device: str,
    progress: Callable[[int, int], None],
) -> list[Path]:
    """Writes the protected photographs and the table into `out`; the paths written, in the order of the folder.

    Raises ValueError where two photos would be written to one file.
    """
    from PIL import Image

    from harness.tasks.face_cloaking import cloaked

    found, rows = everybody(photos), photos.usable
    targets = [out / Path(r.image_id).with_suffix(".png") for r in rows]
    if twice := sorted({str(t) for t in targets if targets.count(t) > 1}):
        raise ValueError(f"two photos would become {twice[0]}: rename one of them")
    for start in range(0, len(rows), BLOCK):
        part = range(start, min(start + BLOCK, len(rows)))
        made = cloaked(found, part, method, session, seed, device, task.perceptual, lambda *_: None)
        for i, frame in zip(part, made, strict=True):
            whole = paste_back(photos.photo(rows[i]), photos.frames[i], frame, rows[i].transform)
            targets[i].parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(whole).save(targets[i])
            progress(i + 1, len(rows))
    out.mkdir(parents=True, exist_ok=True)
    table = photos.table()
    with (out / TABLE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [k for k in table[0] if k != "matrix"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(table)
    return targets
