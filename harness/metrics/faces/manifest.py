"""Manifest of a face experiment: who is in which part, and the rules that no split may break.

R1 calibration people are nobody's probe, gallery or target. R2 no photo, by content, by perceptual hash (distance at
most 4) or by declared group of duplicates, in two of calib, gallery and probe. R3 a target is optimised against and
judged by different photos. R4 photos that a person's mask was fitted on are no probes. R5 every probe has a mate in the
gallery. R6 overlap with a recogniser's training data is declared; unknown is flagged, not an error. Errors name the
rule, the rows and what to do. Source: face_privacy.md section 8.2. Traps: T18.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Role = Literal["calib", "gallery", "probe", "distractor", "target_opt", "target_eval", "fit"]
ROLES: tuple[Role, ...] = get_args(Role)
APART = ("calib", "gallery", "probe")
NEAR = 4  # bits of 64: at most so many differ between hashes of one photo
_SHOWN = 3  # rows named in a message


@dataclass(frozen=True)
class Row:
    """One photo. sha256 of the file; hash: its perceptual hash, "" where unknown; source: data set; dup_group: declared
    group of duplicates, "" for none; consent: what is known of it, empty is flagged by the report."""

    image_id: str
    sha256: str
    identity: str
    role: Role
    path: str = ""
    source: str = ""
    dup_group: str = ""
    hash: str = ""
    consent: str = ""


@dataclass(frozen=True)
class Violation:
    """A rule that is broken: by which photos, and what to do."""

    rule: str
    images: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        named = ", ".join(self.images[:_SHOWN]) + (" …" if len(self.images) > _SHOWN else "")
        return f"{self.rule}: {self.message} ({len(self.images)} photos: {named})"


class BrokenSplit(ValueError):
    """A manifest that breaks a rule; `violations` lists all of them."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__("\n".join(str(v) for v in self.violations))


def check(rows: Sequence[Row]) -> None:
    """Raises BrokenSplit with every violation of R1 to R5, and of ids that repeat or roles that do not exist."""
    if found := violations(rows):
        raise BrokenSplit(found)


def violations(rows: Sequence[Row]) -> tuple[Violation, ...]:
    """Every violation, in the order of the rules."""
    return (*_form(rows), *_people(rows), *_copies(rows), *_targets(rows), *_fitted(rows), *_mates(rows))


def _form(rows: Sequence[Row]) -> Iterable[Violation]:
    seen: dict[str, int] = defaultdict(int)
    for row in rows:
        seen[row.image_id] += 1
    if twice := tuple(name for name, count in seen.items() if count > 1):
        yield Violation("form", twice, "an image id stands more than once; give every photo its own")
    if strange := tuple(r.image_id for r in rows if r.role not in ROLES):
        yield Violation("form", strange, f"unknown role; one of {', '.join(ROLES)}")


def _people(rows: Sequence[Row]) -> Iterable[Violation]:
    strangers = {r.identity for r in rows if r.role == "calib"}
    met = ("gallery", "probe", "target_opt", "target_eval")
    both = {r.identity for r in rows if r.role in met} & strangers
    if bad := tuple(r.image_id for r in rows if r.identity in both):
        names = ", ".join(sorted(both)[:_SHOWN])
        text = f"calibration people are scored or targets too ({names}); take them out of one of the two"
        yield Violation("R1", bad, text)


def _copies(rows: Sequence[Row]) -> Iterable[Violation]:
    kept = [r for r in rows if r.role in APART]
    for what, groups in (
        ("the same file", _grouped(kept, lambda r: r.sha256)),
        ("a declared group of duplicates", _grouped(kept, lambda r: r.dup_group)),
        (f"perceptual hashes at most {NEAR} bits apart", _near(kept)),
    ):
        bad = [group for group in groups if len({r.role for r in group}) > 1]
        if bad:
            images = tuple(dict.fromkeys(r.image_id for group in bad for r in group))
            roles = " and ".join(sorted({r.role for r in bad[0]}))
            text = f"{what} in {roles}; keep one copy, or one role for all of them"
            yield Violation("R2", images, text)


def _grouped(rows: Sequence[Row], key: Callable[[Row], str]) -> list[list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if value := key(row):
            groups[value].append(row)
    return [g for g in groups.values() if len(g) > 1]


def _near(rows: Sequence[Row]) -> list[list[Row]]:
    """Pairs of rows of different roles whose hashes differ in at most four bits, and whose files differ."""
    known = [r for r in rows if r.hash]
    value = np.array([int(r.hash, 16) for r in known], dtype=np.uint64)
    role, found = np.array([r.role for r in known]), []
    for i, row in enumerate(known):
        distance = np.bitwise_count(value[i + 1 :] ^ value[i])
        at = np.flatnonzero((distance <= NEAR) & (role[i + 1 :] != role[i])) + i + 1
        found += [[row, known[j]] for j in at if known[j].sha256 != row.sha256]
    return found


def _targets(rows: Sequence[Row]) -> Iterable[Violation]:
    own = {(r.identity, r.sha256) for r in rows if r.role == "target_opt"}
    if bad := tuple(r.image_id for r in rows if r.role == "target_eval" and (r.identity, r.sha256) in own):
        yield Violation("R3", bad, "a target is judged by the photo that was optimised against; take another photo")


def _fitted(rows: Sequence[Row]) -> Iterable[Violation]:
    fitted = {r.sha256 for r in rows if r.role == "fit"}
    if bad := tuple(r.image_id for r in rows if r.role == "probe" and r.sha256 in fitted):
        yield Violation("R4", bad, "a mask was fitted on its own probes; fit on other photos of the person")


def _mates(rows: Sequence[Row]) -> Iterable[Violation]:
    enrolled = {r.identity for r in rows if r.role == "gallery"}
    if bad := tuple(r.image_id for r in rows if r.role == "probe" and r.identity not in enrolled):
        yield Violation("R5", bad, "probes without a gallery photo of the same person; add one or drop the probes")


def overlaps(rows: Sequence[Row], training: Mapping[str, str]) -> dict[str, str]:
    """R6: what is known of each recogniser's training data: "declared", "unknown" or "overlap".

    training  recogniser → training set, "" where unknown; an overlap is a training set that is a source of photos
    """
    sources = {r.source.lower() for r in rows if r.source}
    told = {name: "overlap" if data.lower() in sources else "declared" for name, data in training.items() if data}
    return {**told, **{name: "unknown" for name, data in training.items() if not data}}


def check_pools(pools: Mapping[str, Mapping[str, tuple[str, str]]]) -> None:
    """Raises BrokenSplit where pools of recognisers (surrogates, dev_targets, heldout_targets) are not disjoint.

    pools  pool → recogniser → (hash of its weights, lineage of its weights)
    """
    found = []
    names = list(pools)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            for field, what in ((0, "weights"), (1, "lineage of weights")):
                mine, theirs = ({v[field] for v in pools[p].values() if v[field]} for p in (one, other))
                if both := mine & theirs:
                    bad = tuple(n for p in (one, other) for n, v in pools[p].items() if v[field] in both)
                    text = f"{one} and {other} share {what}; a recogniser belongs to one pool"
                    found.append(Violation("pools", tuple(dict.fromkeys(bad)), text))
    if found:
        raise BrokenSplit(found)
