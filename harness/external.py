"""Images made elsewhere, scored with a suite: matched to its items, stored by content, set beside its rows.

`harness score` and `harness.score` end here. The suite's own cells are not executed: those that are in the store are
scored along, the others stay not-run, so that an outside result can be looked at alone or beside a finished run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.data.fitting import Fit
from harness.data.outputs import BadOutputs, match, missing_text
from harness.data.reader import Reader
from harness.engine.cell import PlannedCell
from harness.engine.external import Importer, origin_of
from harness.engine.flags import inert
from harness.engine.status import INERT, CellStatus
from harness.engine.store import Store
from harness.runs import Run, places, score_again

if TYPE_CHECKING:
    from harness.suite import Plan

LABEL = 60  # characters, as of `as:` in suites


@dataclass(frozen=True)
class Outside:
    """What was made elsewhere, and how it is to be read.

    images, prompts  as of harness.data.outputs.match
    label            the row's name in tables
    seeds            seeds of the suite that the images answer; None: all of them
    missing          error: refuse; fail: a seed with missing images is a failed cell, counted and without scores
    reader, fit      what to do with alpha, 16 bits, CMYK, profiles and other sizes
    any_container    PNG and JPEG may be mixed and compared
    by, note         who made them, and anything else worth keeping: provenance
    """

    images: Path
    label: str
    prompts: Path | None = None
    seeds: tuple[int, ...] | None = None
    missing: Literal["error", "fail"] = "error"
    reader: Reader = field(default_factory=Reader)
    fit: Fit = field(default_factory=Fit)
    any_container: bool = False
    by: str = ""
    note: str = ""


def score_images(
    plan: Plan,
    outside: Outside,
    *,
    out: Path | str | None = None,
    store: Path | str | None = None,
    device: str = "auto",
    on_event: Callable[[Any], None] | None = None,
) -> Run:
    """Score images made elsewhere with the metrics of a suite, beside its cells.

    Raises BadOutputs, BadImages or MissingData with everything that is wrong; nothing is written then.
    """
    from harness.engine.devices import slots
    from harness.suite.expansion import check_data

    where = slots(device, 1)[0]
    target, kept = places(plan, out, store)
    check_data(plan.loaded)
    rows = imported(plan, outside, kept)
    return score_again(
        plan, target, kept, known(plan, kept), device=where, on_event=on_event or (lambda _: None), added=rows
    )


def imported(plan: Plan, outside: Outside, store: Store) -> list[PlannedCell]:
    """The cells of images made elsewhere, in the store. Raises as `score_images`."""
    _check_label(plan, outside.label)
    if "images" not in plan.task.artifacts:
        raise BadOutputs([f"task {plan.task.name} is not answered by images"])
    texts, each = plan.task.texts(), len(plan.task.items()) // len(plan.task.texts())
    answers = match(outside.images, outside.prompts, texts, each, plan.suite.seeds, outside.seeds)
    if answers.missing and outside.missing == "error":
        total = each * len(texts) * len(answers.seeds)
        text = missing_text(answers.missing, texts, total)
        raise BadOutputs([text, "make them, or count their seeds as failed with --missing fail"])
    part = plan.cells[0].cell
    importer = Importer(
        store,
        plan.task,
        part.task,
        part.split,
        outside.reader,
        outside.fit,
        outside.any_container,
        _expected(plan, store),
        origin_of(outside.images, outside.prompts, outside.by, outside.note),
    )
    return [PlannedCell(cell, outside.label, "method") for cell in importer.cells(answers)]


def _check_label(plan: Plan, label: str) -> None:
    if not label.strip() or len(label) > LABEL:
        raise BadOutputs([f"a row's name has 1 to {LABEL} characters, found {label!r}"])
    if label in {p.label for p in plan.cells}:
        raise BadOutputs([f"the suite has a row called {label!r}; give the images another name with --as"])


def _expected(plan: Plan, store: Store) -> tuple[int, int] | None:
    """Height and width of the images that the suite's finished cells hold."""
    for planned in plan.cells:
        manifest = store.manifest(planned.cell.address)
        for shard in manifest.shards if manifest is not None else ():
            if "images" in shard.arrays:
                _, height, width, _ = shard.arrays["images"].shape
                return height, width
    return None


def known(plan: Plan, store: Store) -> dict[str, CellStatus]:
    """Statuses of a plan's cells as the store has them, by address, without executing anything."""
    cells = [p.cell for p in plan.cells]
    found = {c.address: store.status(c.address) for c in cells}
    for address in inert(cells, store):
        found[address] = replace(found[address], flags=found[address].flags | {INERT})
    return found
