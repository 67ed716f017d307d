"""Who plays which role in a study of cloaks: people dealt out by the manifest's hash and a seed, and nothing else.

probe, gallery   photographs of the users: protected, or looked up among the others
other, fit       further photographs of users: the control "another photo", and images that person-specific masks are
                 made from; never probes (R4)
calib            one photograph each of people who are in no other role (R1): impostor scores for thresholds
target_opt, target_eval   two photographs each of people to be taken for, in no other role (R3)
decoy            people whose vectors a cloak may move towards, one photograph each
distractor       all others, one photograph each: they fill the gallery

A photograph has one role or none, every probe has a mate in the gallery (R5), and near copies were taken out when the
folder was read (R2); overlap with recognisers' training data is not known of a folder (R6): reports flag it.
Source: face_privacy.md 8.1-8.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from harness.keys import generator

Role = Literal["", "probe", "gallery", "other", "fit", "calib", "target_opt", "target_eval", "decoy", "distractor"]
FEWEST_CALIBRATION = {1e-2: 300, 1e-3: 300, 1e-4: 1500}  # people by lowest false-acceptance rate, face_privacy.md 8.3


ROLES: tuple[Role, ...] = (
    "probe",
    "gallery",
    "other",
    "fit",
    "calib",
    "target_opt",
    "target_eval",
    "decoy",
    "distractor",
)


class TooFewPeople(ValueError):
    """A folder has not enough people for what was asked; the message says what is still possible."""


class Listed(Protocol):
    """What a split needs to know of a photograph."""

    @property
    def image_id(self) -> str: ...

    @property
    def person(self) -> str: ...


@dataclass(frozen=True)
class Plan:
    """How many people and photographs each role gets.

    far          the lowest false-acceptance rate that a threshold is wanted for; None: no calibration at all
    users        protected people, None: as many as there are;  probes, gallery, other, fit  photographs of each
    calibration  people wanted; as many as there are are taken, if they are enough for `far`
    targets, decoys  people wanted; fewer are given where there are fewer (few_targets is flagged later)
    """

    far: float | None = 1e-2
    users: int | None = 200
    probes: int = 1
    gallery: int = 1
    other: int = 0
    fit: int = 0
    calibration: int = 1000
    targets: int = 20
    decoys: int = 20

    def __post_init__(self) -> None:
        if self.probes < 1 or self.gallery < 1 or min(self.other, self.fit, self.targets, self.decoys) < 0:
            raise ValueError(f"{self}: at least one probe and one gallery photograph a person, nothing below 0")
        if self.far is not None and not any(self.far >= rate for rate in FEWEST_CALIBRATION):
            raise ValueError(f"far {self.far:g}: no calibration is defined below {min(FEWEST_CALIBRATION):g}")

    @property
    def photographs(self) -> int:
        """That a user needs."""
        return self.probes + self.gallery + self.other + self.fit

    @property
    def fewest(self) -> int:
        """People that the calibration needs."""
        if self.far is None:
            return 0
        return FEWEST_CALIBRATION[max(rate for rate in FEWEST_CALIBRATION if rate <= self.far)]


@dataclass(frozen=True)
class Dealt:
    """roles (K,) of the photographs, in their order; people of each role."""

    roles: tuple[Role, ...]
    people: dict[str, int]


def deal(photos: Sequence[Listed], manifest_hash: str, seed: int, plan: Plan | None = None) -> Dealt:
    """The role of every photograph; the same for the same manifest, seed and plan. Raises TooFewPeople.

    People with few photographs go first to the roles that need few, so that those with many remain for users; targets
    and decoys take a quarter each, at most, of the people who could be users.
    """
    plan = plan or Plan()
    albums = _albums(photos, manifest_hash, seed)
    pool = sorted(albums, key=lambda p: min(len(albums[p]), plan.photographs))  # stable: keyed order among equals
    able = {p for p in pool if len(albums[p]) >= plan.photographs}
    if not able:
        raise TooFewPeople(_nobody(albums, plan))
    if len(pool) <= plan.fewest:
        raise TooFewPeople(_refusal(len(pool), plan))
    calibration, pool = pool[: plan.fewest], pool[plan.fewest :]

    def take(count: int, photographs: int) -> list[str]:
        spared = [p for p in pool if p in able]
        spared = spared[len(spared) // 4 :]
        fit = [p for p in pool if len(albums[p]) >= photographs and p not in set(spared)][:count]
        pool[:] = [p for p in pool if p not in set(fit)]
        return fit

    targets = take(plan.targets, 2)
    decoys = take(plan.decoys, 1)
    users = [p for p in pool if p in able][: plan.users]
    rest = [p for p in pool if p not in set(users)]
    more = 0 if plan.far is None else max(0, min(plan.calibration - plan.fewest, len(rest) // 2))
    calibration, distractors = [*calibration, *rest[:more]], rest[more:]

    roles: list[Role] = [""] * len(photos)
    of_users: list[tuple[Role, int]] = [("probe", plan.probes), ("gallery", plan.gallery), ("other", plan.other)]
    own = [role for role, count in [*of_users, ("fit", plan.fit)] for _ in range(count)]
    shares: list[tuple[list[str], list[Role]]] = [(users, own), (targets, ["target_opt", "target_eval"])]
    shares += [(calibration, ["calib"]), (decoys, ["decoy"]), (distractors, ["distractor"])]
    for people, each in shares:
        for person in people:
            for row, role in zip(albums[person], each, strict=False):
                roles[row] = role
    return Dealt(
        tuple(roles), {role: len({photos[i].person for i, r in enumerate(roles) if r == role}) for role in ROLES}
    )


def _albums(photos: Sequence[Listed], manifest_hash: str, seed: int) -> dict[str, list[int]]:
    """Person → rows, people and rows in an order drawn from their names, so that a stranger's photo moves nobody's."""
    listed = sorted(range(len(photos)), key=lambda i: (photos[i].person, photos[i].image_id))
    albums: dict[str, list[int]] = {}
    for i in listed:
        albums.setdefault(photos[i].person, []).append(i)
    draw = generator(seed, "split", "faces", manifest_hash)
    names = list(albums)
    mixed = [names[k] for k in draw.permutation(len(names)).tolist()]
    return {p: [albums[p][k] for k in draw.permutation(len(albums[p])).tolist()] for p in mixed}


def _nobody(albums: dict[str, list[int]], plan: Plan) -> str:
    most = max((len(rows) for rows in albums.values()), default=0)
    return (
        f"nobody among {len(albums)} people has the {plan.photographs} usable photographs that a user needs"
        f" ({plan.probes} probe, {plan.gallery} gallery, {plan.other} other, {plan.fit} fit); the most is {most}."
        " Still possible: protected pictures with their image quality, and their similarity to the original"
    )


def _refusal(people: int, plan: Plan) -> str:
    return (
        f"{people} people have usable photographs, and a threshold at a false-acceptance rate of {plan.far:g} needs"
        f" {plan.fewest} people who are in no other role: too few for a calibration. Still possible: protected pictures"
        " with their image quality; ranks among the people of the folder, which need no threshold (far: null); or a"
        " second folder of other people for the calibration"
    )
