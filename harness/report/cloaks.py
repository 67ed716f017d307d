"""People before and after: the photograph, what every row made of it, and what it changed, amplified.

Differences are drawn around middle gray with their sign, all by one factor. No picture is shown of people of whom the
record says neither that they are drawn nor that they consent (rules.md 36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.report.grids import BUDGET, THUMB_PX, Sprite, chosen_rows, cluster_names, data_uri, load, spread, strip
from harness.report.narration import name_of
from harness.report.run_view import GridImages, RunView
from harness.report.summary import Row, Summary, method_entries

TASK, ORIGINAL = "face_cloaking", "identity"  # the task, and the method that leaves photographs as they are
MOST_PEOPLE = 8
GRAY = 128
FACTORS = (16, 8, 4, 2)  # of amplification
Pixels = NDArray[np.uint8]
CLIPPED = 0.02  # share of values that may leave the scale in the middle row


@dataclass(frozen=True)
class CloakRow:
    """What a row made of the people: pictures and differences (the original has none), or why there are none."""

    row: Row
    pictures: Sprite | None
    differences: Sprite | None
    missing: str = ""


@dataclass(frozen=True)
class Cloaks:
    """The section. refused: why no picture may be shown, "" where there are some.

    people   names in the order of the columns;  total: how many the run has
    factor   of the differences;  reduced: pictures were scaled down from size_px (height, width)
    """

    refused: str
    people: tuple[str, ...] = ()
    total: int = 0
    seed: str = ""
    factor: int = 0
    original: CloakRow | None = None
    rows: tuple[CloakRow, ...] = ()
    left_out: int = 0
    reduced: bool = False
    size_px: tuple[int, int] = (0, 0)
    sprites: tuple[Sprite, ...] = field(default=())


def is_cloaking(view: RunView) -> bool:
    return name_of(view.suite.get("task")) == TASK


def may_show(view: RunView) -> bool:
    """Whether the people are drawn, or are said to consent."""
    return bool(str(view.faces.get("world") or "").strip() or str(view.faces.get("consent") or "").strip())


def cloaks(view: RunView, summary: Summary) -> Cloaks | None:
    """None for other tasks, and for runs without pictures."""
    if not is_cloaking(view):
        return None
    if not may_show(view):
        return Cloaks("Nothing is stated about the consent of the people in the photographs, so none is shown here.")
    any_loaded = False
    for seed in view.seeds:
        loaded, missing = load(view, seed)
        any_loaded = any_loaded or bool(loaded)
        base = next((r for r in summary.rows if r.label in loaded and does_nothing(view, r)), None)
        if base is not None:
            return lay_out(summary, seed, base, loaded, missing)
    nothing = "No finished row leaves the photographs as they are (identity): there is nothing to compare with."
    return Cloaks(nothing) if any_loaded else None


def does_nothing(view: RunView, row: Row) -> bool:
    stated = method_entries(view).get(row.label, {})
    return str(stated.get("preset") or row.label) == ORIGINAL


def lay_out(
    summary: Summary, seed: str, base: Row, loaded: Mapping[str, GridImages], missing: Mapping[str, str]
) -> Cloaks:
    before = loaded[base.label]
    first = {int(p): i for i, p in reversed(list(enumerate(before.prompt)))}  # a person's first photo: a probe
    every = sorted(first)
    shown = [r for r in chosen_rows(summary) if r.label != base.label]
    known = [r for r in shown if r.label in loaded]
    pairs = {r.label: matched(before, loaded[r.label], first) for r in known}
    height, width = before.images.shape[1:3]
    factor = amplification([changes(before, after, first) for after in pairs.values()])
    kept = spread(every, MOST_PEOPLE)
    original, rows = drawn_rows(base, shown, before, pairs, first, kept, factor, missing)
    while (size := sum(len(s.uri) for s in sprites_of(original, rows))) > BUDGET and len(kept) > 1:
        kept = spread(every, max(1, min(len(kept) - 1, int(len(kept) * BUDGET / size))))
        original, rows = drawn_rows(base, shown, before, pairs, first, kept, factor, missing)
    names = cluster_names(before.prompts, summary.cluster)
    return Cloaks(
        refused="",
        people=tuple(names[p] if p < len(names) else f"{summary.cluster} {p}" for p in kept),
        total=len(every),
        seed=seed,
        factor=factor,
        original=original,
        rows=rows,
        left_out=len(summary.rows) - 1 - len(shown),
        reduced=max(height, width) > THUMB_PX,
        size_px=(height, width),
        sprites=sprites_of(original, rows),
    )


def drawn_rows(
    base: Row,
    shown: Sequence[Row],
    before: GridImages,
    pairs: Mapping[str, Mapping[int, Pixels]],
    first: Mapping[int, int],
    kept: Sequence[int],
    factor: int,
    missing: Mapping[str, str],
) -> tuple[CloakRow, tuple[CloakRow, ...]]:
    """The original's row and the others, of the people kept."""
    rows = []
    for number, row in enumerate(shown):
        after = pairs.get(row.label, {})
        people = [p for p in kept if p in after]
        if not people:
            rows.append(CloakRow(row, None, None, missing.get(row.label, "no pictures of these people")))
            continue
        own, at = np.stack([after[p] for p in people]), [kept.index(p) for p in people]
        moved = amplified(before.images[[first[p] for p in people]], own, factor)
        rows.append(CloakRow(row, sprite(f"ck{number}", own, at), sprite(f"cd{number}", moved, at)))
    clean = sprite("ck", before.images[[first[p] for p in kept]], range(len(kept)))
    return CloakRow(base, clean, None), tuple(rows)


def sprites_of(original: CloakRow, rows: Sequence[CloakRow]) -> tuple[Sprite, ...]:
    return tuple(s for r in (original, *rows) for s in (r.pictures, r.differences) if s is not None)


def sprite(name: str, images: Pixels, at: Sequence[int]) -> Sprite:
    """Pictures (N, H, W, 3) side by side; `at` says in which columns they stand."""
    return Sprite(name, tuple(at), data_uri(strip(images)))


def matched(before: GridImages, after: GridImages, first: Mapping[int, int]) -> dict[int, Pixels]:
    """A row's pictures of the photos shown, by person; those of another shape are left out."""
    where = {(int(p), int(s)): i for i, (p, s) in enumerate(zip(after.prompt, after.sample, strict=True))}
    keys = {p: (p, int(before.sample[i])) for p, i in first.items()}
    same = after.images.shape[1:] == before.images.shape[1:]
    return {p: after.images[where[k]] for p, k in keys.items() if same and k in where}


def changes(before: GridImages, after: Mapping[int, Pixels], first: Mapping[int, int]) -> NDArray[np.int16]:
    """Absolute changes of a row, all people."""
    found = [np.abs(after[p].astype(np.int16) - before.images[first[p]]).ravel() for p in after]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int16)


def amplification(found: Sequence[NDArray[np.int16]]) -> int:
    """The largest factor at which, in the middle row, hardly a value leaves the scale; 8 where nothing changed."""
    reach = [float(np.quantile(c, 1 - CLIPPED)) for c in found if c.size and c.any()]
    if not reach:
        return 8
    middle = float(np.median(reach))
    return next((f for f in FACTORS if f * middle < GRAY), 1)


def amplified(before: Pixels, after: Pixels, factor: int) -> Pixels:
    """after - before, times the factor, around middle gray; uint8, clipped at both ends."""
    moved = GRAY + factor * (after.astype(np.int32) - before.astype(np.int32))
    return np.clip(moved, 0, 255).astype(np.uint8)
