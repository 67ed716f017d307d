"""A whole run on a tiny random pipeline: resume after SIGKILL, invariance to micro-batch and workers, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import harness
from harness.runs import Run, run_suite

# Timings and names aside, everything in the frame must be the same (done-when 3).
TIMINGS = ["seconds", "peak_memory_mb", "run"]
SUITE = """
suite: tiny
version: 1
title: a tiny comparison
task:
  name: text_to_image
  prompts: [a portrait, a baker, a hat, a drawing, of a hat, baker hat, hat baker, portrait drawing, of, hat hat]
  images_per_prompt: 8
model: {name: diffusers, path: PATH, steps: 3, guidance: 3}
seeds: [0, 1]
compare_to: iid
baselines: [iid]
methods: [cads, {name: spell, radius_quantile: 0.9}]
metrics: [vendi.latent, rke.latent, pd.latent.pairs, color.de2000, color.dominance.mean]
"""


@pytest.fixture(scope="module")
def suite_file(tmp_path_factory: pytest.TempPathFactory, tiny_pipeline: Callable[..., Any]) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    tiny_pipeline("sd").save_pretrained(folder / "model")
    path = folder / "suite.yaml"
    path.write_text(SUITE.replace("PATH", str(folder / "model")), encoding="utf-8")
    return path


def _run(suite: Path, folder: Path, **options: Any) -> Run:
    plan = harness.plan(harness.load_suite(suite))
    return run_suite(plan, out=folder / "run", store=folder / "store", executor="inline", device="cpu", **options)


@pytest.fixture(scope="module")
def undisturbed(suite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _run(suite_file, tmp_path_factory.mktemp("undisturbed"))


def _command(suite: Path, folder: Path, *more: str) -> list[str]:
    options = ["--out", str(folder / "run"), "--store", str(folder / "store"), "--device", "cpu", *more]
    return [sys.executable, "-c", "from harness.cli.main import main; main()", "run", str(suite), *options]


def _results(run: Run) -> pd.DataFrame:
    frame = pd.read_parquet(run.path / "scores.parquet")
    return frame.drop(columns=TIMINGS)


def test_the_directory_holds_what_the_issue_names(undisturbed: Run) -> None:
    names = {p.name for p in undisturbed.path.iterdir()}
    assert {"suite.yaml", "run.json", "scores.parquet", "scores.csv", "items.parquet", "report.html"} <= names
    assert undisturbed.failed == ()
    assert (undisturbed.cells["status"] == "ok").all()


def test_the_saved_suite_plans_the_same_cells(undisturbed: Run, suite_file: Path) -> None:
    saved = harness.plan(harness.load_suite(undisturbed.path / "suite.yaml"))
    given = harness.plan(harness.load_suite(suite_file))
    assert [p.cell.address for p in saved.cells] == [p.cell.address for p in given.cells]


def test_a_second_run_does_no_model_work_and_gives_the_same_bytes(
    undisturbed: Run, suite_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (undisturbed.path / "scores.parquet").read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a finished suite opened a model or ran a network")

    monkeypatch.setattr("harness.models.diffusion.hub.Pipeline.open", refuse, raising=True)
    monkeypatch.setattr("harness.scoring.extractors.one_pass", refuse)
    again = _run(suite_file, undisturbed.path.parent)
    assert (again.path / "scores.parquet").read_bytes() == before


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_any_point_and_resumed_gives_the_same_values(
    workers: int, undisturbed: Run, suite_file: Path, tmp_path: Path
) -> None:
    kills = 0
    for shards in (1, 3):  # kill as soon as so many shards are in the store
        process = subprocess.Popen(
            _command(suite_file, tmp_path, "--workers", str(workers)),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if len(list((tmp_path / "store").glob("cells/*/*/shard-*.npz"))) >= shards:
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        process.wait()
    assert kills == 2
    done = subprocess.run(
        _command(suite_file, tmp_path, "--workers", str(workers), "--json"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    resumed = harness.read_run(tmp_path / "run")
    pd.testing.assert_frame_equal(_results(resumed), _results(undisturbed), check_exact=True)


@pytest.mark.parametrize("micro_batch", [3, 16])
def test_another_micro_batch_moves_values_by_less_than_a_fiftieth_of_their_half_width(
    micro_batch: int, undisturbed: Run, suite_file: Path, tmp_path: Path
) -> None:
    other = _results(_run(suite_file, tmp_path, micro_batch=micro_batch))
    ours = _results(undisturbed)
    assert list(other.metric_id) == list(ours.metric_id)
    half = (ours.ci_high - ours.ci_low).to_numpy(float) / 2
    known = np.isfinite(half) & (half > 0)
    moved = np.abs(other.value.to_numpy(float) - ours.value.to_numpy(float))
    assert known.any()
    assert (moved[known] < half[known] / 50).all()


def test_every_method_started_from_the_same_noise_and_changed_it_by_itself(undisturbed: Run) -> None:
    view = undisturbed.view()
    cells = undisturbed.cells
    first = cells[cells.seed == "0"].set_index("method")["cell"]
    images = {name: view.images(address).images.astype(int) for name, address in first.items()}
    other = view.images(cells[(cells.method == "iid") & (cells.seed == "1")]["cell"].iloc[0]).images.astype(int)
    near = np.abs(images["cads"] - images["iid"]).mean()
    far = np.abs(other - images["iid"]).mean()
    assert near < far  # another seed is farther than another method


def test_a_cell_that_fails_leaves_the_others_and_is_named(
    suite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("harness.methods.diversity.cads.Cads.condition", broken)
    run = _run(suite_file, tmp_path)
    assert {line.split(":")[0] for line in run.failed} == {"cads seed 0", "cads seed 1"}
    assert "planted" in run.failed[0]
    scores = run.scores
    assert scores[scores.method == "spell"].value.notna().all()
    assert scores[scores.method == "cads"].value.isna().all()
    assert "cads" in "\n".join(run.record["warnings"])
