"""Verbs around a run: run, status, report, export, store. What is shown, what is written, how they end."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

import harness
from harness.engine.driver import Event, Kind
from harness.engine.manifest import Manifest
from harness.engine.status import CellStatus, State
from harness.engine.store import Store
from harness.scoring.assembly import Scoring
from harness.suite import Plan
from harness.tasks.task import ShardResult

Call = Callable[..., Result]


# --- run --------------------------------------------------------------------------------------------------------------


@dataclass
class FakeRun:
    """What `run_suite` returns, with as many failed cells as asked for."""

    path: Path
    failed: tuple[str, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def scores(self) -> Any:
        import pandas as pd

        return pd.DataFrame({"seed": ["0", "all"], "method": ["iid", "iid"], "value": [1.0, float("nan")]})

    def view(self) -> str:
        return "a view"


@dataclass
class Engine:
    """Stands for `harness.runs.run_suite`: remembers what it was asked, plays events, ends as told."""

    failed: tuple[str, ...] = ()
    error: BaseException | None = None
    asked: dict[str, Any] = field(default_factory=dict)

    def __call__(self, plan: Plan, **options: Any) -> FakeRun:
        self.asked = {"plan": plan, **options}
        notify = options["on_event"]
        first = plan.cells[0]
        notify(Event(Kind.STARTED, first, 0, 8, None, None))
        notify(Event(Kind.ADVANCED, first, 3.5, 8, None, 90.0))
        notify(Event(Kind.WAITING, plan.cells[1], 0, 0, CellStatus(State.RUNNING, "elsewhere"), 90.0))
        ended = CellStatus(State.FAILED, "ValueError: no") if self.failed else CellStatus(State.OK)
        notify(Event(Kind.ENDED, first, 8, 8, ended, 60.0))
        notify(Event(Kind.STOPPING))
        if self.error is not None:
            raise self.error
        notify(Scoring(0, 2, "iid"))
        cells = [{"status": "failed" if self.failed else "ok"}, {"status": "ok"}]
        return FakeRun(Path("runs/small"), self.failed, {"cells": cells, "suite": {"suite": "small"}})


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr("harness.runs.run_suite", made)
    monkeypatch.setattr("harness.report.terminal.summary_table", lambda view: f"the table of {view}")
    return made


def test_a_run_shows_the_plan_progress_table_and_report(call: Call, engine: Engine) -> None:
    result = call("run", "small.yaml")
    assert result.exit_code == 0
    assert "spell radius_quantile=0.1" in result.stderr
    assert result.stderr.splitlines()[-4:] == [
        "iid seed 1: waiting for another run of the same cell",
        "[1/8] iid seed 0: ok, 60 s left",
        "stopping after the shards in flight; Ctrl-C again stops now",
        "scoring 2 cells",
    ]
    assert result.stdout.splitlines() == [
        "the table of a view", "report  runs/small/report.html", "frames  runs/small/scores.parquet, items.parquet",
    ]  # fmt: skip


def test_options_reach_the_engine(call: Call, engine: Engine) -> None:
    options = "--out here --store there --device cpu --workers 2 --micro-batch 7 --only cads --set model.guidance=9"
    assert call("run", "small.yaml", *options.split()).exit_code == 0
    asked = engine.asked
    assert (asked["out"], asked["store"], asked["device"]) == (Path("here"), Path("there"), "cpu")
    assert (asked["workers"], asked["micro_batch"]) == (2, 7)
    assert {c.label for c in asked["plan"].cells} == {"cads"}
    assert asked["plan"].cells[0].cell.model.params["guidance"] == 9


def test_a_failed_cell_makes_exit_code_1_and_says_which_and_why(call: Call, engine: Engine) -> None:
    engine.failed = ("iid seed 0: failed: ValueError: no",)
    result = call("run", "small.yaml")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "✗ iid seed 0: failed: ValueError: no"
    assert "report  runs/small/report.html" in result.stdout


def test_an_interrupted_run_ends_with_130_and_says_how_to_go_on(call: Call, engine: Engine) -> None:
    engine.error = KeyboardInterrupt()
    result = call("run", "small.yaml")
    assert result.exit_code == 130
    assert "the same command resumes" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [["nope"], ["small.yaml", "--set", "x"], ["small.yaml", "--only", "no"], []])
def test_bad_input_ends_with_2_before_anything_runs(arguments: Sequence[str], call: Call, engine: Engine) -> None:
    result = call("run", *arguments)
    assert result.exit_code == 2
    assert result.stderr
    assert result.stdout == ""
    assert not engine.asked


def test_a_device_that_is_not_here_is_bad_input(call: Call, engine: Engine) -> None:
    from harness.engine.devices import NoSuchDevice

    engine.error = NoSuchDevice("device cuda:9 is not here")
    result = call("run", "small.yaml")
    assert result.exit_code == 2
    assert "device cuda:9 is not here" in result.stderr


def test_a_disk_that_refuses_is_said_without_a_traceback(call: Call, engine: Engine) -> None:
    engine.error = PermissionError(13, "Permission denied", "/somewhere/run.json")
    result = call("run", "small.yaml")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "/somewhere/run.json: Permission denied"


def test_a_fault_of_the_harness_is_not_called_bad_input(call: Call, engine: Engine) -> None:
    engine.error = ZeroDivisionError("a bug")
    result = call("run", "small.yaml")
    assert isinstance(result.exception, ZeroDivisionError)


def test_json_is_one_document_and_nothing_else(call: Call, engine: Engine) -> None:
    engine.failed = ("iid seed 0: failed: ValueError: no",)
    result = call("run", "small.yaml", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["cells"] == {"failed": 1, "ok": 1}
    assert found["failed"] == list(engine.failed)
    assert found["scores"] == [{"seed": "all", "method": "iid", "value": None}]
    assert result.stderr == "✗ iid seed 0: failed: ValueError: no\n"


def test_bars_take_every_event(folder: Path, engine: Engine) -> None:
    from rich.console import Console

    from harness.cli.plan import foresee
    from harness.cli.progress import show_progress

    planned = harness.plan(harness.load_suite("small.yaml"))
    console = Console(force_terminal=True, width=80, file=(folder / "screen").open("w"))
    engine.failed = ("x",)
    with show_progress(console, foresee(planned, folder / "store")) as notify:
        engine(planned, on_event=notify)
    console.file.close()
    shown = (folder / "screen").read_text()
    for text in (
        "images",
        "iid seed 0",
        "1/8 cells",
        "60 s left",
        "waiting for another run",
        "scoring",
        "ValueError: no",
    ):
        assert text in shown


# --- runs that are there ----------------------------------------------------------------------------------------------


@pytest.fixture
def finished(folder: Path) -> Path:
    """A run of small.yaml whose cells are in a store, one of them failed, one never begun."""
    from harness.suite import load_suite, plan, resolved_yaml

    planned = plan(load_suite("small.yaml"))
    store, items, (shard,) = Store("kept"), planned.task.items(), planned.task.shards()
    cells = []
    for index, item in enumerate(planned.cells):
        cell, status = item.cell, CellStatus(State.OK)
        if index == len(planned.cells) - 1:
            status = CellStatus(State.NOT_RUN, "never ran")
        elif index == len(planned.cells) - 2:
            status = CellStatus(State.FAILED, "ValueError: no")
            store.fail(cell, status)
        else:
            images = np.arange(8 * 6 * 6 * 3, dtype=np.uint8).reshape(8, 6, 6, 3) + np.uint8(index)
            record = store.write_shard(
                cell.address, shard, ShardResult({"images": images}), items, seconds={"run": 4.0}
            )
            store.finish(cell.address, Manifest.compose(cell, "cpu", [record], {}, {}))
        cells.append(
            {"cell": cell.address, "method": item.label, "role": item.role, "seed": str(cell.seed),
             "status": status.state.value, "reason": status.reason}
        )  # fmt: skip
    run = folder / "runs/small"
    run.mkdir(parents=True)
    (run / "suite.yaml").write_text(resolved_yaml(planned.loaded))
    (run / "run.json").write_text(json.dumps({"store": "../../kept", "cells": cells}))
    return run


def test_a_plan_knows_what_is_cached_and_estimates_the_rest(call: Call, finished: Path) -> None:
    found = json.loads(call("plan", "small.yaml", "--store", "kept", "--json").stdout)
    assert (found["cached"], found["to_run"]) == (6, 2)
    assert found["seconds"] == pytest.approx(8.0)


def test_status_counts_and_says_why(call: Call, finished: Path) -> None:
    result = call("status", "small", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    whys = [(c["method"], c["seed"], c["status"], c["why"]) for c in found["cells"]]
    assert whys[0] == ("iid", 0, "ok", "cached")
    assert whys[-2:] == [("cads", 0, "failed", "failed: ValueError: no"), ("cads", 1, "not-run", "never ran")]
    assert "8 cells: 6 ok, 1 failed, 1 not-run" in call("status", str(finished)).stdout


@pytest.mark.parametrize("name", ["cads:0", "ADDRESS"])
def test_one_cell_is_found_by_label_and_by_address(name: str, call: Call, finished: Path) -> None:
    address = json.loads((finished / "run.json").read_text())["cells"][-2]["cell"]
    result = call("status", "small", "--why", name.replace("ADDRESS", address[:9]), "--json")
    (cell,) = json.loads(result.stdout)["cells"]
    assert (cell["cell"], cell["why"]) == (address, "failed: ValueError: no")


def test_a_changed_ingredient_is_named(call: Call, finished: Path) -> None:
    saved = finished / "suite.yaml"
    saved.write_text(saved.read_text().replace("guidance: 3.0", "guidance: 4.0"))
    cells = json.loads(call("status", "small", "--why", "iid:0", "--json").stdout)["cells"]
    assert cells[0]["why"] == "stale: parameter guidance of model toy 3.0 → 4.0"


@pytest.mark.parametrize("verb", [["status"], ["report"], ["export", "--method", "x", "--to", "y"]])
def test_what_is_no_run_is_bad_input(verb: list[str], call: Call) -> None:
    result = call(verb[0], "nope", *verb[1:])
    assert result.exit_code == 2
    assert "nope is not a run directory" in result.stderr


def test_an_unknown_cell_is_bad_input(call: Call, finished: Path) -> None:
    result = call("status", "small", "--why", "nope")
    assert result.exit_code == 2
    assert "no cell 'nope' in this run\ngive the start of an address or LABEL:SEED, as in iid:0" in result.stderr


def test_images_are_exported_as_files_that_others_read(call: Call, finished: Path, folder: Path) -> None:
    from PIL import Image

    assert call("export", "small", "--method", "iid", "--seed", "1", "--to", "png").exit_code == 0
    names = sorted(p.name for p in (folder / "png").iterdir())
    assert names[0] == "0000-0000.png"
    assert names[-1] == "0001-0003.png"
    assert len(names) == 8
    assert call("export", "small", "--method", "iid", "--seed", "1", "--to", "npz", "--format", "npz").exit_code == 0
    with np.load(folder / "npz/images.npz", allow_pickle=False) as archive:
        images = archive["arr_0"]
    assert images.dtype == np.uint8
    assert np.array_equal(images[0], np.asarray(Image.open(folder / "png/0000-0000.png")))


def test_an_export_repeats_byte_for_byte(call: Call, finished: Path, folder: Path) -> None:
    for place in ("one", "two"):
        for form in ("png", "npz"):
            assert (
                call("export", "small", "--method", "iid", "--to", f"{place}-{form}", "--format", form).exit_code == 0
            )
    for form in ("png", "npz"):
        one, two = ({p.relative_to(r): p.read_bytes() for p in r.rglob("*") if p.is_file()} for r in
                    (folder / f"one-{form}", folder / f"two-{form}"))  # fmt: skip
        assert one == two
        assert {p.parts[0].removesuffix(".npz") for p in one} == {"seed-0", "seed-1"}


def test_what_cannot_be_exported_is_said(call: Call, finished: Path) -> None:
    unknown = call("export", "small", "--method", "idi", "--to", "x")
    assert (unknown.exit_code, unknown.stderr.splitlines()[0]) == (2, "the run has no row 'idi'; did you mean 'iid'?")
    seedless = call("export", "small", "--method", "iid", "--seed", "7", "--to", "x")
    assert (seedless.exit_code, seedless.stderr) == (2, "row 'iid' has no seed 7\nseeds: 0, 1\n")
    failed = call("export", "small", "--method", "cads", "--seed", "0", "--to", "x")
    assert failed.exit_code == 2
    assert "cads seed 0 has no artifacts: failed: ValueError: no" in failed.stderr


def test_a_report_is_rendered_again(call: Call, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.runs.Run.view", lambda self: "a view")
    monkeypatch.setattr("harness.report.summary.summarise", lambda view: f"summary of {view}")
    monkeypatch.setattr("harness.report.hypervolume.volumes", lambda view, summary: [])
    monkeypatch.setattr("harness.report.render", lambda view, format: f"{format} of {view}")
    assert call("report", "small", "--format", "md").stdout == "md of a view"
    assert call("report", "small").stdout == "runs/small/report.html\n"
    assert (finished / "report.html").read_text() == "html of a view"
    assert (finished / "hypervolume.csv").read_text().count("\n") == 1  # the head of a table without sweeps


def test_the_store_is_measured_checked_and_cleaned(call: Call, finished: Path, folder: Path) -> None:
    kept = ("--store", "kept")
    sizes = json.loads(call("store", "du", *kept, "--json").stdout)
    assert sizes["methods"]["toy · iid"]["cells"] == 2
    assert call("store", "verify", *kept).exit_code == 0
    shard = next((folder / "kept").glob("cells/*/*/shard-00000.npz"))
    shard.write_bytes(shard.read_bytes()[:-1])
    damaged = call("store", "verify", *kept, "--json")
    assert damaged.exit_code == 1
    assert json.loads(damaged.stdout)["damaged"][0]["damaged"] == ["shard-00000.npz"]
    shown = json.loads(call("store", "gc", "small.yaml", *kept, "--json").stdout)
    assert shown["cells"] == []
    (folder / "iid.yaml").write_text((folder / "small.yaml").read_text().replace(", cads]", "]"))
    listed = json.loads(call("store", "gc", "iid.yaml", *kept, "--json").stdout)
    assert (listed["deleted"], len(listed["cells"])) == (False, 1)  # the failed cell; the other never began
    assert (folder / "kept/cells" / listed["cells"][0]["cell"][:2] / listed["cells"][0]["cell"]).is_dir()
    assert call("store", "gc", "iid.yaml", *kept, "--delete").exit_code == 0
    assert json.loads(call("store", "gc", "iid.yaml", *kept, "--json").stdout)["cells"] == []


def test_no_store_is_bad_input(call: Call) -> None:
    result = call("store", "du")
    assert result.exit_code == 2
    assert "no store at runs/.store" in result.stderr
