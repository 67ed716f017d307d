"""`harness cloak`: protect the photographs of a folder with a row of a suite, and say how well that holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.arguments import Json, Settings, StoreFolder, store_root
from harness.cli.output import BadInput, err, print_json, put

if TYPE_CHECKING:
    from harness.data.face_photos import FacePhotos
    from harness.runs import Run
    from harness.suite import Plan
    from harness.suite.checking import LoadedSuite
    from harness.suite.rows import Point
    from harness.tasks.face_cloaking import FaceCloaking

CONTROLS = ("identity", "blur", "pixelate")
NOBODY = ("task.people=avatars", "task.identities=2", "task.calibration=0", "task.targets=0", "task.decoys=0")


def cloak(
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="Photographs: person/photo.jpg.")],
    out_: Annotated[Path, typer.Option("--out", metavar="DIR", help="Protected pictures, report, table of all files.")],
    suite: Annotated[
        str, typer.Option("--suite", metavar="SUITE", help="Suite of task face_cloaking.")
    ] = "cloaking-photos",
    method: Annotated[
        str, typer.Option("--method", metavar="LABEL", help="Row that protects. [dim]default: the first method[/]")
    ] = "",
    consent: Annotated[str, typer.Option("--consent", metavar="TEXT", help="What is known of consent.")] = "",
    store: StoreFolder = None,
    device: Annotated[str, typer.Option("--device", metavar="auto|cpu|cuda[:N]", help="Where models run.")] = "auto",
    set_: Settings = None,
    as_json: Json = False,
) -> None:
    """Protect your own photographs against face recognition.

    Every usable photo of the folder is protected by one row of the suite and written as PNG; every other file is listed
    with the reason. Where the folder has people enough, the suite's recognisers are then asked, and the report says how
    often they still match; a folder of few people has no thresholds, and none are made up.

    Exit code 0: protected; 1: no photo could be; 2: bad input.
    """
    from harness.suite import load_suite

    given = [f"task.people={images}", *([f"task.consent={consent}"] if consent else []), *(set_ or ())]
    task = _task(suite, given)
    loaded = load_suite(suite, [*(set_ or ()), *NOBODY])  # its rows and its model, whoever is on the photographs
    point, photos = _row(loaded, method), task.photographs()
    if photos is None or not photos.usable:
        raise BadInput(f"no photo of {images} can be protected", *(_reasons(photos) if photos else []))
    planned, refusal = _evaluation(suite, given, task, point.label)
    written = _protect(loaded, task, point.method, photos, out_, device, as_json)
    counts = photos.counts()
    record: dict[str, Any] = {
        "pictures": [str(p) for p in written],
        "files": counts,
        "refused": refusal,
        "report": None,
    }
    if planned is not None:
        record["report"] = str(_measured(planned, out_, store, device, as_json).report)
    if as_json:
        print_json(record)
        return
    said = ", ".join(f"{n} {status}" for status, n in counts.items())
    put(f"{len(written)} pictures in {out_} ({said}; {out_ / 'photos.csv'} lists every file)", wrap=False)
    if refusal:
        put(f"How well that holds was not measured: {refusal}.")
    put("Measured on open recognisers only; no protection against any other is promised.")


def _task(suite: str, given: list[str]) -> FaceCloaking:
    """The suite's task with the folder as its people, whether or not that folder allows an evaluation."""
    from harness.options import build
    from harness.suite.loading import read_tree
    from harness.tasks.face_cloaking import FaceCloaking

    stated = read_tree(suite, given).find(("task",)).plain
    name = stated["name"] if isinstance(stated, dict) else stated
    if name != FaceCloaking.name:
        raise BadInput(f"suite {suite!r} has the task {name!r}", "cloak needs one of task face_cloaking")
    made: FaceCloaking = build(FaceCloaking, {k: v for k, v in stated.items() if k != "name"})
    return made


def _row(loaded: LoadedSuite, label: str) -> Point:
    """The row's point of that label, by default the first method. Raises BadInput."""
    points = [(row.role, p) for row in loaded.rows for p in row.points]
    chosen = label or next((p.label for role, p in points if role == "method"), "")
    found = next((p for _, p in points if p.label == chosen), None)
    if found is None:
        known = ", ".join(p.label for _, p in points)
        raise BadInput(f"the suite has no row {chosen!r}" if chosen else "the suite has no method", f"it has {known}")
    return found


def _evaluation(suite: str, given: list[str], task: FaceCloaking, label: str) -> tuple[Plan | None, str]:
    """The plan that measures the row beside the suite's controls, or why nothing can be measured."""
    from harness.data.face_split import TooFewPeople
    from harness.suite import load_suite
    from harness.suite import plan as expand

    try:
        task.faces()
    except TooFewPeople as error:
        return None, str(error)
    loaded = load_suite(suite, given)
    beside = [p.label for row in loaded.rows for p in row.points if p.method.name in CONTROLS]
    return expand(loaded, [*dict.fromkeys([*beside, label])]), ""


def _protect(
    loaded: LoadedSuite, cloaking: FaceCloaking, method: Any, photos: FacePhotos, out: Path, device: str, quiet: bool
) -> list[Path]:
    from rich.progress import Progress

    from harness.engine.devices import slots
    from harness.protection import protect

    where = slots(device, 1)[0]
    session = loaded.model.open(where)
    with Progress(console=err(), transient=True, disable=quiet) as bar:
        task = bar.add_task("protecting photographs", total=len(photos.usable))
        return protect(
            cloaking, method, session, photos, out,
            seed=loaded.suite.seeds[0], device=where, progress=lambda done, _: bar.update(task, completed=done),
        )  # fmt: skip


def _measured(planned: Plan, out: Path, store: Path | None, device: str, quiet: bool) -> Run:
    from harness.cli.plan import foresee
    from harness.cli.progress import show_progress
    from harness.cli.run import conclude
    from harness.runs import run_suite

    root = store_root(store)
    with show_progress(err(), foresee(planned, root), quiet=quiet) as notify:
        finished = run_suite(
            planned, out=out / "report", store=root, device=device, workers=0, micro_batch=None, at_once=1,
            on_event=notify,
        )  # fmt: skip
    if not quiet:
        conclude(finished, False, finished.failed)
    return finished


def _reasons(photos: FacePhotos) -> list[str]:
    return [f"{r.image_id}: {r.status}{': ' + r.reason if r.reason else ''}" for r in photos.rows[:10]]
