"""Pictures of people for cloaking: who is protected, whom recognisers are calibrated on, decoys and targets.

Every group has people of its own (rule R1 of face_privacy.md); a photograph stands in one role only (R2). Pictures are
aligned frames (N, H, W, 3) uint8 of one size.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Names = NDArray[np.str_]


@dataclass(frozen=True)
class People:
    """pixels (N, H, W, 3) uint8 and person (N,) names."""

    pixels: Pixels
    person: Names

    def __post_init__(self) -> None:
        if len(self.pixels) != len(self.person):
            raise ValueError(f"{len(self.pixels)} pictures and {len(self.person)} names")

    def __len__(self) -> int:
        return len(self.person)


@dataclass(frozen=True)
class FaceSet:
    """Everything a cloaking suite looks at.

    users        the protected photographs, person by person, probes before gallery
    role         (N,) "probe" or "gallery" of each;  target (N,) the person it should be taken for, "" for none
    other        (N, H, W, 3): a further photograph of the same person each, which stands in no role; None without
    calibration  one photograph a person;  distractors  further people of the gallery, one each
    decoys       people whose vectors a method may move towards
    target_opt, target_eval   two different photographs of each target, in the same order
    consent, world   what is known of consent, and the world's name where the pictures are drawn
    image_id     files of the users' photographs, where they come from files
    """

    users: People
    role: Names
    target: Names
    other: Pixels | None
    calibration: People
    distractors: People
    decoys: People
    target_opt: People
    target_eval: People
    consent: str = ""
    world: str = ""
    image_id: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """32 hex digits of all pictures, names and roles."""
        digest = hashlib.blake2b(digest_size=16)
        for f in fields(self):
            value = getattr(self, f.name)
            for part in (value.pixels, value.person) if isinstance(value, People) else (value,):
                if isinstance(part, np.ndarray) and part.dtype.kind != "U":
                    digest.update(f"{f.name} {part.shape} {part.dtype}".encode() + np.ascontiguousarray(part).tobytes())
                else:
                    text = part.tolist() if isinstance(part, np.ndarray) else part
                    digest.update(json.dumps([f.name, text]).encode())
        return digest.hexdigest()


def avatars_people(
    identities: int,
    probes: int,
    gallery: int,
    calibration: int,
    distractors: int,
    targets: int,
    *,
    decoys: int = 100,
    tuning: bool = False,
) -> FaceSet:
    """The photographed people of the avatars world; `tuning`: other users, for choosing presets. Deterministic.

    Raises ValueError for more people or photographs than the world has (harness/worlds/avatars/photos.py).
    """
    from harness.worlds.avatars.photos import photographs

    split, each = ("tuning" if tuning else "evaluation"), probes + gallery + 1
    shown = photographs(split, identities, each)
    pixels = shown.pixels.reshape(identities, each, *shown.pixels.shape[1:])
    users = People(
        pixels[:, :-1].reshape(-1, *shown.pixels.shape[1:]),
        np.repeat(np.array([f"{split} {i:04d}" for i in range(identities)]), each - 1),
    )
    role = np.tile(np.array(["probe"] * probes + ["gallery"] * gallery), identities)
    aims = photographs("targets", max(targets, 1), 2).pixels[: 2 * targets]
    names = np.array([f"target {i:04d}" for i in range(targets)], dtype=np.str_)
    turn = np.repeat(np.arange(identities), each - 1)

    def single(name: str, count: int) -> People:
        if count == 0:
            return People(shown.pixels[:0], np.array([], dtype=np.str_))
        found = photographs(name, count, 1)
        return People(found.pixels, np.array([f"{name} {i:04d}" for i in found.person]))

    return FaceSet(
        users=users,
        role=role,
        target=names[turn % targets] if targets else np.full(len(turn), "", dtype=names.dtype),
        other=np.repeat(pixels[:, -1], each - 1, axis=0),
        calibration=single("calibration", calibration),
        distractors=single("distractors", distractors),
        decoys=single("decoys", decoys),
        target_opt=People(aims[0::2], names),
        target_eval=People(aims[1::2], names),
        consent="drawn people",
        world="avatars",
    )
