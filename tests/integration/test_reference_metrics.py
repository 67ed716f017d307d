"""Reference metrics from a suite to a report, offline: the networks are stand-ins of the real interfaces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.runs import Run, run_suite

SUITE = """
suite: reference-metrics
version: 1
task:
  name: text_to_image
  prompts: [a portrait, a baker, a hat, a drawing, of a hat, baker hat]
  images_per_prompt: 4
model: {name: diffusers, path: PATH, steps: 2, guidance: 3}
data:
  reference: {name: avatars/heldout, n: 24}
seeds: [0]
compare_to: iid
baselines: [iid]
methods: [cads]
metrics: [METRICS]
"""


def run(folder: Path, tiny_pipeline: Callable[..., Any], metrics: str) -> Run:
    tiny_pipeline("sd").save_pretrained(folder / "model")
    path = folder / "suite.yaml"
    path.write_text(SUITE.replace("PATH", str(folder / "model")).replace("METRICS", metrics), encoding="utf-8")
    plan = harness.plan(harness.load_suite(path))
    return run_suite(plan, out=folder / "run", store=folder / "store", executor="inline", device="cpu")


def test_fid_and_kid_go_from_suite_to_report(
    tmp_path: Path, tiny_pipeline: Callable[..., Any], inception_standin: Path
) -> None:
    metrics = "fid, fid.legacy_tensorflow, kid, {name: precision.inception-clean, k: 2}"
    made = run(tmp_path, tiny_pipeline, metrics)
    scores = made.scores
    rows = scores[(scores.method == "iid") & (scores.seed == "0")].set_index("metric")
    assert set(rows.loc[["fid", "fid.legacy_tensorflow", "kid"], "status"]) == {"ok"}
    assert rows.value["fid"] > 0
    assert rows.value["fid"] != rows.value["fid.legacy_tensorflow"]
    assert "resize=pil-bicubic-f32-aa:299" in rows.metric_id["fid"]
    assert "reference=avatars/heldout:24" in rows.metric_id["fid"]
    assert "fid" in made.report.read_text(encoding="utf-8")


def test_missing_weights_fail_their_metric_alone_and_say_what_to_fetch(
    tmp_path: Path, tiny_pipeline: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path / "nowhere"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    scores = run(tmp_path, tiny_pipeline, "fid, color.de2000").scores
    rows = scores[(scores.method == "iid") & (scores.seed == "0")].set_index("metric")
    assert rows.status["fid"] == "failed"
    assert rows.status["color.de2000"] == "ok"
    for part in ("inception-2015-12-05.pt", "curl", "nowhere", "avatars"):
        assert part in rows.reason["fid"]
