"""A run: a suite executed, scored and written to a directory; and a run directory read back.

DIR/suite.yaml       the resolved suite: loading it gives the same cells
DIR/run.json         cells with status, costs and addresses; provenance; warnings; where the store is
DIR/scores.parquet   one row a (cell, metric) and one an aggregate; scores.csv the same
DIR/items.parquet    one row an item
DIR/report.html, hypervolume.csv   made from the frames
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.engine.files import write_bytes, write_json
from harness.engine.status import CellStatus
from harness.engine.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from harness.engine.cell import PlannedCell
    from harness.report.run_view import RunView
    from harness.suite import Plan

RUNS = Path("runs")
STORE = RUNS / ".store"
SCORES, SCORES_CSV, ITEMS = "scores.parquet", "scores.csv", "items.parquet"
LATER = ("evaluations",)  # columns that runs of older versions lack
HYPERVOLUME = "hypervolume.csv"


class NotARun(FileNotFoundError):
    """A directory without the files of a run."""


@dataclass(frozen=True)
class Run:
    """A run directory, read lazily."""

    path: Path

    def __post_init__(self) -> None:
        if not (self.path / "run.json").is_file():
            raise NotARun(f"{self.path} is not a run directory (no run.json); `harness run SUITE` makes one")

    @cached_property
    def record(self) -> dict[str, Any]:
        """The content of run.json."""
        found: dict[str, Any] = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        return found

    @property
    def store(self) -> Store:
        """The store that holds the artifacts; it may have moved or been emptied."""
        return Store(self.path / self.record["store"])

    @property
    def failed(self) -> tuple[str, ...]:
        """One line for each cell that did not end ok."""
        return self._lines(lambda status: status != "ok")

    @property
    def ended_badly(self) -> tuple[str, ...]:
        """The same without cells that never ran: nobody asked for them where outside images are scored."""
        return self._lines(lambda status: status not in ("ok", "not-run"))

    def _lines(self, counts: Callable[[str], bool]) -> tuple[str, ...]:
        return tuple(
            f"{c['method']} seed {c['seed']}: {c['status']}: {c['reason']}"
            for c in self.record["cells"]
            if counts(c["status"])
        )

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row a (cell, metric) and, with seed "all", one a (method, metric)."""
        import pandas as pd

        frame = pd.read_parquet(self.path / SCORES)
        return frame.assign(**{c: None for c in LATER if c not in frame.columns})

    @cached_property
    def items(self) -> pd.DataFrame:
        """One row an item and metric."""
        import pandas as pd

        return pd.read_parquet(self.path / ITEMS)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row a cell: status, costs, activity."""
        import pandas as pd

        rows = [
            {**c, "activity": json.dumps(c["activity"]), "point": json.dumps(c["point"])} for c in self.record["cells"]
        ]
        return pd.DataFrame(rows)

    @cached_property
    def flips(self) -> pd.DataFrame | None:
        """Items right before and wrong after, and the reverse: one row a (method, metric, seed), "all" seeds last."""
        return _frame(self.record.get("flips", []))

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    def view(self) -> RunView:
        """What the report room renders."""
        from harness.report.run_view import GridImages, RunView
        from harness.scoring.specimens import specimens_of

        def images(address: str) -> GridImages:
            stored = self.store.cell(address)
            if stored is None:
                raise KeyError(f"cell {address} is not in the store")
            table = stored.items()
            if "images" not in stored.names:
                raise KeyError(f"cell {address} holds no images")
            pixels = stored.arrays("images")["images"]
            return GridImages(pixels, table.prompt, table.sample, tuple(self.record["texts"]))

        def search(address: str) -> Mapping[str, Any]:
            stored = self.store.cell(address)
            online = stored is not None and "best" in stored.names
            own = stored.arrays("best") if stored is not None and online else {}
            return {**self.store.search(address), **own}

        asked = self.record.get("specimens")
        return RunView(
            suite=self.record["suite"],
            provenance=self.record["provenance"],
            warnings=tuple(self.record["warnings"]),
            scores=self.scores,
            items=self.items,
            cells=self.cells,
            images=images,
            published=_frame([{"verdict": "", "why": "", **row} for row in self.record["published"]]),  # older runs
            comparisons=_frame(self.record["comparisons"]),
            flips=self.flips,
            texts=tuple(self.record["texts"]),
            specimens=(lambda address: specimens_of(self.store, asked, address)) if asked else None,
            search=search,
            kinship=self.record.get("kinship", {}),
            recognisers=self.record.get("recognisers", {}),
            faces=self.record.get("faces", {}),
        )


def _frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame | None:
    import pandas as pd

    return pd.DataFrame(rows) if rows else None


def run_suite(
    plan: Plan,
    *,
    out: Path | str | None = None,
    store: Path | str | None = None,
    device: str = "auto",
    workers: int = 0,
    micro_batch: int | None = None,
    at_once: int = 1,
    command: Sequence[str] = (),
    executor: Literal["process", "inline"] = "process",
    on_event: Callable[[Any], None] | None = None,
) -> Run:
    """Execute what is not yet in the store, score it, write the run directory and its report.

    at_once   evaluations of a search at the same time, in each worker; changes no result
    executor  process: one spawned worker a device; inline: in this process, for tests and debugging
    on_event  called with the engine's events and with `Scoring` events
    Raises KeyboardInterrupt after Ctrl-C, the store left resumable.
    """
    from harness.engine.devices import slots
    from harness.engine.driver import MICRO_BATCH, execute
    from harness.suite.expansion import check_data

    target, kept = places(plan, out, store)
    notify = on_event or _ignore
    check_data(plan.loaded)  # a missing reference is said before anything is made, not after
    record = execute(
        plan.cells,
        kept,
        device=device,
        workers=workers,
        micro_batch=micro_batch or MICRO_BATCH,
        at_once=at_once,
        executor=executor,
        on_event=notify,
        command=command,
    )
    if record.interrupted:
        raise KeyboardInterrupt
    return score_again(plan, target, kept, record.statuses, device=slots(device, 1)[0], on_event=notify)


def places(plan: Plan, out: Path | str | None, store: Path | str | None) -> tuple[Path, Store]:
    """The run directory and the store: as given, by the environment, by default."""
    root = Path(store) if store is not None else Path(os.environ.get("HARNESS_STORE", STORE))
    return (Path(out) if out is not None else RUNS / plan.suite.suite), Store(root)


def score_again(
    plan: Plan,
    target: Path,
    store: Store,
    statuses: Mapping[str, CellStatus],
    *,
    device: str,
    on_event: Callable[[Any], None],
    added: Sequence[PlannedCell] = (),
) -> Run:
    """Score what is there and write the run directory. Rows made elsewhere that the directory has stay in it.

    added  further such rows; they take the place of rows of the same label
    """
    from harness.scoring.assembly import score_run
    from harness.scoring.elsewhere import kept_rows

    rows = [*kept_rows(plan, target, added), *added]
    known = {**statuses, **{p.cell.address: store.status(p.cell.address) for p in rows}}
    scored = score_run(plan, store, known, device=device, on_event=on_event, external=rows)
    write_run(target, plan, store, scored)
    return Run(target)


def _ignore(event: Any) -> None:
    """For callers who do not watch."""
    del event


def write_run(target: Path, plan: Plan, store: Store, scored: Any) -> None:
    """The files of a run directory, run.json last but the report, each written atomically."""
    import io

    from harness.suite import resolved_yaml

    target.mkdir(parents=True, exist_ok=True)
    write_bytes(target / "suite.yaml", resolved_yaml(plan.loaded).encode())
    for name, frame in ((SCORES, scored.scores), (ITEMS, scored.items)):
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        write_bytes(target / name, buffer.getvalue())
    write_bytes(target / SCORES_CSV, scored.scores.to_csv(index=False).encode())
    write_json(target / "run.json", {**scored.record, "store": os.path.relpath(store.root, target)})
    write_report(Run(target))


def write_report(run: Run) -> Path:
    """Render report.html anew from the frames, and hypervolume.csv beside it."""
    from harness.report import render
    from harness.report.hypervolume import table, volumes
    from harness.report.summary import summarise

    view = run.view()
    found = table(volumes(view, summarise(view)))
    write_bytes(run.path / HYPERVOLUME, found.to_csv(index=False).encode())
    write_bytes(run.report, _bytes(render(view, "html")))
    return run.report


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def read_run(path: Path | str) -> Run:
    """A run directory, or the run of that name under runs/. Raises NotARun."""
    given = Path(path)
    return Run(given if given.is_dir() or not (RUNS / given).is_dir() else RUNS / given)
