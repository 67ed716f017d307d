"""Cloaking end to end: a suite on drawn people, and the path of paper/cloaking-lfw on avatars in LFW's layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from harness.cli.main import app
from harness.runs import Run
from harness.worlds.avatars.photos import photographs

SUITE: dict[str, Any] = {
    "suite": "cloaks",
    "task": {"name": "face_cloaking", "identities": 10, "calibration": 300, "distractors": 5, "targets": 4},
    "model": {"name": "face-recognisers", "names": "avatars-cnn+avatars-vit"},
    "seeds": [0],
    "compare_to": "identity",
    "baselines": ["identity"],
    "methods": [{"name": "pgd", "surrogates": "avatars-cnn", "eps": 16, "steps": 8}],
    "controls": ["round_trip_8bit", {"name": "pixelate", "as": "pixels"}, "another_photo"],
    "metrics": [
        "ver.dodge_cond.{avatars-cnn,avatars-vit}",
        {"name": "ver.dodge_cond.avatars-cnn", "protocol": "P"},
        "ver.tar_clean.avatars-cnn",
        "id.untargeted_cond.avatars-cnn",
        "ssim",
    ],
    "primary": ["ver.dodge_cond.{avatars-cnn,avatars-vit}"],
}


def write(path: Path, suite: dict[str, Any]) -> Path:
    path.write_text(json.dumps(suite))
    return path


def value(scores: pd.DataFrame, method: str, metric: str) -> float:
    rows = scores[(scores["method"] == method) & (scores["metric"] == metric) & (scores["seed"].astype(str) == "0")]
    rows = rows[~rows["metric_id"].str.contains("protocol=P")]
    assert len(rows) == 1, (method, metric, len(rows))
    assert rows["status"].item() == "ok", rows["reason"].item()
    return float(rows["value"].item())


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("cloaks")
    suite = write(folder / "suite.yaml", SUITE)
    command = ["run", str(suite), "--out", str(folder / "run"), "--store", str(folder / "store"), "--workers", "1"]
    found = CliRunner().invoke(app, [*command, "--json"])
    assert found.exit_code == 0, found.output
    return Run(folder / "run")


def test_the_identity_protects_nobody_and_a_cloak_protects_from_what_it_knew(done: Run) -> None:  # T5
    assert value(done.scores, "identity", "ver.dodge_cond.avatars-cnn") == 0.0
    assert value(done.scores, "round_trip_8bit", "ver.dodge_cond.avatars-cnn") == 0.0
    assert value(done.scores, "pgd", "ver.dodge_cond.avatars-cnn") >= 0.5
    assert value(done.scores, "identity", "ver.tar_clean.avatars-cnn") > 0.9
    assert value(done.scores, "pixels", "ssim") < value(done.scores, "pgd", "ssim") < 1.0


def test_what_was_optimised_is_marked_and_what_did_nothing_too(done: Run) -> None:
    kinship = done.record["kinship"]
    assert kinship["pgd"] == {"avatars-cnn": "white", "avatars-vit": "grey"}  # one training set
    assert kinship["identity"] == {}
    assert done.record["recognisers"]["avatars-vit"]["architecture"] == "vit"
    flags = {c["method"]: c["flags"] for c in done.record["cells"]}
    assert "inert" in flags["round_trip_8bit"]
    assert "inert" not in flags["pgd"]


def test_a_folder_in_lfw_layout_goes_the_same_way(tmp_path: Path) -> None:
    folder = tmp_path / "lfw"
    for split, people, each in (("evaluation", 8, 3), ("calibration", 318, 1)):
        shown = photographs(split, people, each)
        for i, pixels in enumerate(shown.pixels):
            name = f"{split.title()}_{shown.person[i]:04d}"
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / name / f"{name}_{i % each + 1:04d}.png")
    (folder / "Evaluation_0000" / "broken.jpg").write_text("no picture")
    suite = json.loads(json.dumps(SUITE))
    suite["task"] = {
        "name": "face_cloaking", "people": "elsewhere", "identities": 5, "calibration": 300, "targets": 2, "decoys": 2,
        "other": 0, "detector": "none", "frame": 64, "consent": "drawn",
    }  # fmt: skip
    suite["controls"] = [{"name": "pixelate", "as": "pixels"}]
    path = write(tmp_path / "suite.yaml", suite)
    command = ["cloak", "--images", str(folder), "--suite", str(path), "--out", str(tmp_path / "out"), "--json"]
    found = CliRunner().invoke(app, [*command, "--store", str(tmp_path / "store")])
    assert found.exit_code == 0, found.output
    record = json.loads(found.stdout)
    assert record["refused"] == ""
    assert record["files"]["unreadable"] == 1
    assert sum(record["files"].values()) == 8 * 3 + 318 + 1
    run = Run(tmp_path / "out" / "report")
    assert value(run.scores, "pgd", "ver.dodge_cond.avatars-cnn") > value(
        run.scores, "identity", "ver.dodge_cond.avatars-cnn"
    )
    first = Path(record["pictures"][-1])
    protected = np.asarray(Image.open(first))
    source = np.asarray(Image.open(next((folder / first.parent.name).glob(f"{first.stem}.*"))))
    change = np.abs(protected.astype(int) - source)
    assert 0 < change.max() <= 17


def test_few_people_get_their_pictures_and_no_invented_threshold(tmp_path: Path) -> None:
    shown = photographs("evaluation", 2, 2)
    for i, pixels in enumerate(shown.pixels):
        (tmp_path / "me" / str(shown.person[i])).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "me" / str(shown.person[i]) / f"{i}.png")
    suite = json.loads(json.dumps(SUITE))
    suite["task"] |= {"people": "elsewhere", "detector": "none", "frame": 64, "other": 0}
    suite["task"].pop("distractors")
    path = write(tmp_path / "suite.yaml", suite)
    command = ["cloak", "--images", str(tmp_path / "me"), "--suite", str(path), "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(app, [*command, "--json"])
    assert found.exit_code == 0, found.output
    record = json.loads(found.stdout)
    assert len(record["pictures"]) == 4
    assert "too few for a calibration" in record["refused"]
    assert record["report"] is None
