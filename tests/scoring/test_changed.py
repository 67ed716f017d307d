"""What a method changed: shares by hand, and an inert method from suite to report."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import harness
from harness.report import render
from harness.report.summary import summarise
from harness.runs import Run, run_suite
from harness.scoring.changed import mean_distance, share_changed
from harness.scoring.frame import UNCHANGED

SUITE = """
suite: sleepy
version: 1
title: methods at no strength beside one that acts
task: {name: text_to_image, prompts: [a portrait, a baker, a hat, a drawing, of a hat, baker hat], images_per_prompt: 2}
model: {name: diffusers, path: PATH, steps: 2, guidance: 3}
seeds: [0, 1]
compare_to: iid
baselines: [iid, {name: iid_equal_time, as: no more samples, factor: 1.0}]
methods:
  - {name: spell, as: no radius, radius: 0.0}
  - {name: riesz, as: no step, step: 0.0}
  - {name: riesz, as: acts}
metrics: [color.de2000, pd.latent.pairs]
primary: [color.de2000]
"""
ASLEEP = ["no more samples", "no radius", "no step"]


def test_shares_and_distances_by_hand() -> None:
    ours = np.zeros((4, 2, 2, 3), dtype=np.uint8)
    theirs = ours.copy()
    theirs[1, 0, 0, 0] = 1
    assert share_changed(ours, theirs) == 0.25
    assert share_changed(ours, ours) == 0.0
    assert mean_distance(np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[3.0, 4.0], [1.0, 1.0]])) == 2.5


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_pipeline: Callable[..., Any]) -> Run:
    folder = tmp_path_factory.mktemp("sleepy")
    tiny_pipeline("sd").save_pretrained(folder / "model")
    path = folder / "suite.yaml"
    path.write_text(SUITE.replace("PATH", str(folder / "model")), encoding="utf-8")
    plan = harness.plan(harness.load_suite(path))
    return run_suite(plan, out=folder / "run", store=folder / "store", executor="inline", device="cpu")


def test_cells_without_strength_are_flagged_and_nothing_else_is(run: Run) -> None:
    assert run.failed == ()
    flagged = run.cells[run.cells["flags"] == "inert"]
    assert sorted(set(flagged["method"])) == ASLEEP
    assert len(flagged) == 2 * len(ASLEEP)


def test_scores_say_so_in_their_reason_and_are_tested_against_nothing(run: Run) -> None:
    scores = run.scores
    asleep = scores[scores["method"].isin(ASLEEP)]
    assert asleep["reason"].str.startswith(UNCHANGED).all()
    assert asleep["p_value"].isna().all()
    assert asleep["p_holm"].isna().all()
    assert (asleep["status"] == "ok").all()
    others = scores[~scores["method"].isin(ASLEEP)]
    assert not others["reason"].str.contains("inert").any()
    one = scores[(scores["metric"] == "color.de2000") & (scores["seed"] == "all")].set_index("method")
    assert one.loc["no radius", "value"] == one.loc["iid", "value"]  # bit for bit
    assert one.loc["no radius", "delta"] == 0
    assert one.loc["acts", "p_value"] > 0


def test_the_report_shows_inert_rows_and_ranks_none_of_them(run: Run) -> None:
    summary = summarise(run.view())
    assert [r.label for r in summary.rows if r.inert] == [r.label for r in summary.rows if r.label in ASLEEP]
    assert all(not set(ASLEEP) & names for names in summary.bold.values())
    text = render(run.view(), "html")
    for label in ASLEEP:
        assert f"{label} changed nothing: its images equal those of the untouched model bit by bit. Not ranked." in text
    assert "no step (inert, not ranked)" in render(run.view(), "md")


def test_the_share_of_changed_images_is_recorded(run: Run) -> None:
    activity = {c["method"]: json.loads(c["activity"]) for c in run.cells.to_dict("records")}
    assert activity["acts"]["images.changed"] == [1.0]
    assert activity["acts"]["latents.distance"][0] > 0
    assert activity["no radius"]["images.changed"] == [0.0]
    assert activity["no radius"]["latents.distance"] == [0.0]
    assert "images.changed" not in activity["iid"]


def test_a_row_that_slept_at_one_seed_only_is_not_inert_but_named(run: Run) -> None:
    view = run.view()
    cells = view.cells.copy()
    cells.loc[(cells["method"] == "no step") & (cells["seed"] == "1"), "flags"] = ""
    from dataclasses import replace

    summary = summarise(replace(view, cells=cells))
    assert [r.label for r in summary.rows if r.inert] == [r.label for r in summary.rows if r.label in ASLEEP[:2]]
