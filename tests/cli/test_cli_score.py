"""`harness score`: a round trip gives the same numbers, and every kind of bad input is said with exit code 2."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from PIL import Image

import harness
from harness.engine.manifest import Manifest
from harness.engine.store import Store
from harness.keys import generator
from harness.scoring.columns import SCORES
from harness.scoring.frame import BY_PROMPT
from harness.tasks.task import ShardResult

Call = Callable[..., Result]
SUITE = """\
suite: outside
title: Ours and theirs
task: {name: text_to_image, prompts: avatars/open, first: 6, images_per_prompt: 10}
model: toy
data:
  reference: {name: avatars/prompts, per_prompt: 12}
seeds: [0, 1]
baselines: [iid]
methods: [cads]
metrics:
  - vendi.avatars.prompt
  - kd.avatars
  - recall.avatars
  - attr.match.avatars
  - attr.tv.skin
  - color.de2000
  - vendi.latent
"""
RESULTS = ["value", "n", "ci_low", "ci_high", "ci_method", "direction", "unit", "status", "metric_id"]


@pytest.fixture
def folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with outside.yaml in it, and a cache of digests of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    (folder / "outside.yaml").write_text(SUITE, encoding="utf-8")
    return folder


def _images(seed: int, method: str, count: int) -> np.ndarray[Any, Any]:
    coarse = generator(seed, "world", method).integers(0, 256, (count, 8, 8, 3))
    return np.kron(coarse, np.ones((1, 8, 8, 1))).astype(np.uint8)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the finished run and its store, filled by the first test that wants it."""
    return tmp_path_factory.mktemp("finished")


@pytest.fixture
def run(folder: Path, finished: Path) -> Path:
    """A finished run of outside.yaml whose images are drawn here, as the directory that scoring writes."""
    if not (finished / "run" / "run.json").exists():
        _make(finished)
    for name in ("run", "kept"):
        shutil.copytree(finished / name, folder / name)
    return Path("run")


def _make(folder: Path) -> None:
    from harness.external import known
    from harness.runs import places, score_again

    plan = harness.plan("outside.yaml")
    target, store = places(plan, folder / "run", folder / "kept")
    items = plan.task.items()
    for planned in plan.cells:
        cell, records = planned.cell, []
        images = _images(cell.seed, planned.label, len(items))
        for shard in plan.task.shards():
            part = images[shard.start : shard.stop]
            latents = part[:, ::16, ::16].reshape(len(part), -1).astype(np.float32)
            result = ShardResult({"images": part, "latents": latents}, {"conditional": 7})
            records.append(store.write_shard(cell.address, shard, result, items, seconds={"denoise": 2.0}))
        store.finish(cell.address, Manifest.compose(cell, "cpu", records, {}, {}))
    score_again(plan, target, store, known(plan, store), device="cpu", on_event=lambda _: None)


@pytest.fixture
def exported(run: Path, call: Call, folder: Path) -> Path:
    """The images of cads as `harness export` writes them."""
    assert call("export", str(run), "--method", "cads", "--to", "theirs").exit_code == 0
    return folder / "theirs"


def _score(call: Call, *more: str, images: str = "theirs", name: str = "outsider") -> Result:
    base = ["--images", images, "--suite", "outside.yaml", "--as", name, "--out", "run", "--store", "kept"]
    return call("score", *base, "--device", "cpu", *more)


def _rows(run: Path, method: str) -> pd.DataFrame:
    frame = pd.read_parquet(run / "scores.parquet")
    return frame[frame["method"] == method].set_index(["seed", "metric"]).sort_index()


@pytest.mark.parametrize("form", ["png", "npz"])
def test_exported_and_scored_again_gives_identical_values(form: str, run: Path, call: Call) -> None:
    assert call("export", str(run), "--method", "cads", "--to", "theirs", "--format", form).exit_code == 0
    before = _rows(run, "cads")
    result = _score(call)
    assert result.exit_code == 0, result.stderr
    ours, theirs = _rows(run, "cads"), _rows(run, "outsider")
    pd.testing.assert_frame_equal(ours[RESULTS], before[RESULTS], check_exact=True, check_dtype=False)
    latent = theirs.index.get_level_values("metric") == "vendi.latent"
    pd.testing.assert_frame_equal(theirs[~latent][RESULTS], ours[~latent][RESULTS], check_exact=True, check_dtype=False)
    assert (theirs[~latent]["status"] == "ok").all()
    assert (theirs[latent]["status"] == "undefined").all()
    assert theirs[latent]["reason"].str.contains("no latents").all()
    assert theirs[latent]["value"].isna().all()


def test_an_outside_row_shows_its_origin_and_invents_no_number(exported: Path, call: Call, run: Path) -> None:
    result = _score(call, "--by", "Group B", "--json")
    assert result.exit_code == 0, result.stderr
    theirs = _rows(run, "outsider").reset_index()
    assert list(pd.read_parquet(run / "scores.parquet").columns) == list(SCORES)
    assert theirs[["seconds", "denoiser_calls", "peak_memory_mb"]].isna().all().all()
    assert set(theirs["role"]) == {"method"}
    assert set(theirs["model"]) == {"external"}
    assert {json.loads(p)["origin"] for p in theirs["params"]} == {"external"}
    record = json.loads((run / "run.json").read_text())
    entry = record["external"][0]
    assert (entry["label"], entry["seed"], entry["origin"]["by"]) == ("outsider", 0, "Group B")
    assert entry["origin"]["files"] == 60
    assert {c["flags"] for c in record["cells"] if c["method"] == "outsider"} == {"external"}
    assert any("outsider was made elsewhere (by Group B)" in w for w in record["warnings"])
    files = Store("kept").json("external", entry["cell"])
    assert files is not None
    assert files[11]["file"] == "seed-0/0001-0001.png"
    page = (run / "report.html").read_text()
    assert '<span class="badge">external</span>' in page
    assert "made elsewhere" in call("report", str(run), "--format", "md").stdout
    assert json.loads(result.stdout)["cells"] == {"ok": 6}


def test_differences_are_paired_by_prompt_and_say_so(exported: Path, call: Call, run: Path) -> None:
    assert _score(call).exit_code == 0
    theirs, ours = _rows(run, "outsider"), _rows(run, "cads")
    compared = theirs["delta"].notna()
    assert compared.sum() >= 8
    assert theirs[compared]["reason"].str.contains(BY_PROMPT).all()
    assert not ours["reason"].fillna("").str.contains(BY_PROMPT).any()
    pd.testing.assert_series_equal(theirs[compared]["delta"], ours[compared]["delta"])


def test_one_replicate_is_compared_with_all_seeds_of_the_baseline(exported: Path, call: Call, run: Path) -> None:
    assert _score(call, "--seed", "1").exit_code == 0
    theirs = _rows(run, "outsider")
    assert set(theirs.index.get_level_values("seed")) == {"1", "all"}
    assert np.isfinite(theirs.loc[("all", "color.de2000"), ["delta", "delta_ci_low", "p_value"]].astype(float)).all()


def test_a_later_run_of_the_suite_keeps_the_outside_rows_until_the_prompts_change(
    exported: Path, call: Call, run: Path
) -> None:
    assert _score(call).exit_code == 0
    again = call("run", "outside.yaml", "--out", "run", "--store", "kept", "--device", "cpu", "--json")
    assert again.exit_code == 0, again.stderr
    assert len(_rows(run, "outsider"))
    assert _score(call, name="second").exit_code == 0
    assert len(_rows(run, "outsider"))
    assert len(_rows(run, "second"))
    changed = call(
        "score", "--images", "theirs", "--suite", "outside.yaml", "--as", "third", "--out", "run", "--store", "kept",
        "--set", "task.first=5", "--device", "cpu",
    )  # fmt: skip
    assert changed.exit_code == 2
    assert "answers prompt 5; there are 5 (0 to 4)" in changed.stderr
    assert len(_rows(run, "second"))  # refused before anything is written


def test_a_suite_that_never_ran_can_be_scored_alone(exported: Path, call: Call, folder: Path) -> None:
    result = call(
        "score", "--images", "theirs", "--suite", "outside.yaml", "--as", "alone", "--out", "new", "--store", "empty",
        "--device", "cpu",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    frame = pd.read_parquet(folder / "new" / "scores.parquet")
    assert set(frame[frame.method == "iid"]["status"]) == {"not-run"}
    assert (frame[(frame.method == "alone") & (frame.metric != "vendi.latent")]["status"] == "ok").all()


def test_python_does_the_same(exported: Path, run: Path) -> None:
    scored = harness.score("theirs", "outside.yaml", as_="outsider", out="run", store="kept", device="cpu")
    assert scored.path == Path("run")
    assert len(_rows(run, "outsider"))


def test_a_manifest_places_files_of_any_name(exported: Path, call: Call, run: Path, folder: Path) -> None:
    texts = harness.plan("outside.yaml").task.texts()
    (folder / "own").mkdir()
    rows: list[dict[str, Any]] = []
    for seed in (0, 1):
        for p in reversed(range(6)):
            for s in range(10):
                name = f"img{seed}-{p}{s}.png"
                shutil.copy(exported / f"seed-{seed}/{p:04d}-{s:04d}.png", folder / "own" / name)
                rows.append({"file": name, "prompt": texts[p], "seed": seed, "extra": "not read"})
    (folder / "own.jsonl").write_text("\n".join(json.dumps(r) for r in rows))
    with (folder / "own.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "prompt", "sample", "seed"])
        writer.writeheader()
        writer.writerows(
            {**{k: r[k] for k in ("file", "prompt", "seed")}, "sample": i % 10} for i, r in enumerate(rows)
        )
    for form in ("jsonl", "csv"):
        assert _score(call, "--prompts", f"own.{form}", images="own").exit_code == 0
        theirs, ours = _rows(run, "outsider"), _rows(run, "cads")
        pd.testing.assert_series_equal(
            theirs["value"].drop("vendi.latent", level=1), ours["value"].drop("vendi.latent", level=1)
        )


def test_missing_images_are_listed_or_make_a_failed_cell(exported: Path, call: Call, run: Path) -> None:
    (exported / "seed-1/0003-0002.png").unlink()
    refused = _score(call)
    assert refused.exit_code == 2
    assert "1 of 120 images are missing: seed 1 prompt 0003" in refused.stderr
    assert not len(_rows(run, "outsider"))
    counted = _score(call, "--missing", "fail")
    assert counted.exit_code == 1
    assert "✗ outsider seed 1: failed: 1 of 60 images are missing" in counted.stderr
    rows = _rows(run, "outsider")
    assert set(rows.loc["1"]["status"]) == {"failed"}
    asked = [m for m in rows.loc["1"].index if m != "vendi.latent"]
    assert set(rows.loc["all"].loc[asked]["status"]) == {"failed"}  # no aggregate over a set with gaps
    assert rows.loc["all"].loc[asked]["value"].isna().all()
    assert rows.loc[("0", "color.de2000"), "status"] == "ok"


def test_jpeg_beside_png_is_a_mismatch_unless_it_is_stated(exported: Path, call: Call, run: Path) -> None:
    for file in sorted(exported.rglob("*.png")):
        Image.open(file).save(file.with_suffix(".jpg"), quality=95)
        file.unlink()
    assert _score(call).exit_code == 0
    rows = _rows(run, "outsider")
    assert rows.loc[("0", "kd.avatars"), "status"] == "protocol-mismatch"
    assert "the generated ones as jpeg" in rows.loc[("0", "kd.avatars"), "reason"]
    assert rows.loc[("0", "color.de2000"), "status"] == "ok"  # compares with nothing
    assert _score(call, "--containers", "any").exit_code == 0
    assert _rows(run, "outsider").loc[("0", "kd.avatars"), "status"] == "ok"


def _mixed(root: Path) -> None:
    Image.open(root / "seed-0/0000-0000.png").save(root / "seed-0/0000-0000.jpg", quality=95)
    (root / "seed-0/0000-0000.png").unlink()


def test_a_mixture_of_containers_in_one_cell_is_a_mismatch_for_every_metric(
    exported: Path, call: Call, run: Path
) -> None:
    _mixed(exported)
    assert _score(call).exit_code == 0
    rows = _rows(run, "outsider")
    assert set(rows.loc["0"]["status"]) == {"protocol-mismatch"}
    assert rows.loc[("1", "kd.avatars"), "status"] == "ok"


def test_images_that_repeat_are_counted_and_said(exported: Path, call: Call, run: Path) -> None:
    for p in range(3):
        shutil.copy(exported / "seed-0/0005-0000.png", exported / f"seed-0/{p:04d}-0000.png")
    assert _score(call).exit_code == 0
    record = json.loads((run / "run.json").read_text())
    rates = {c["seed"]: c["duplicates"] for c in record["cells"] if c["method"] == "outsider"}
    assert rates == {"0": pytest.approx(3 / 60), "1": 0.0}
    assert "outsider repeats 5.00% of its images pixel for pixel." in record["warnings"]


def _twice(root: Path) -> None:
    shutil.copy(root / "seed-0/0000-0000.png", root / "seed-0/0000-0000.webp.png")


def _resize(root: Path) -> None:
    Image.new("RGB", (32, 64)).save(root / "seed-1/0002-0001.png")


def _all_smaller(root: Path) -> None:
    for file in root.rglob("*.png"):
        Image.new("RGB", (16, 16)).save(file)


BAD: dict[str, tuple[Callable[[Path], Any], list[str], str]] = {
    "nowhere": (lambda r: None, ["--images", "nope"], "no folder of images and no npz file at nope"),
    "no prompts file": (lambda r: None, ["--prompts", "no.csv"], "no file of prompts at no.csv"),
    "label taken": (lambda r: None, ["--as", "cads"], "the suite has a row called 'cads'"),
    "label empty": (lambda r: None, ["--as", " "], "a row's name has 1 to 60 characters"),
    "seed": (lambda r: None, ["--seed", "7"], "seed 7 is not one of the suite's (0, 1)"),
    "fit without side": (lambda r: None, ["--fit", "crop"], "--fit and --side belong together"),
    "strange name": (_twice, [], "0000-0000.webp.png: not named PROMPT-SAMPLE.png"),
    "sample": (
        lambda r: shutil.copy(r / "seed-0/0000-0000.png", r / "seed-0/0000-0010.png"), [],
        "seed-0/0000-0010.png: sample 10 of",
    ),
    "two for one item": (
        lambda r: shutil.copy(r / "seed-0/0000-0000.png", r / "seed-0/00-0.png"), [],
        "answer the same prompt, sample and seed",
    ),
    "other seed": (lambda r: (r / "seed-1").rename(r / "seed-3"), [], "seed 3 is not one of the suite's"),
    "no seed": (
        lambda r: [shutil.move(f, r / f.name) for f in (r / "seed-0").iterdir()] and shutil.rmtree(r / "seed-1"), [],
        "the images state no seed, and the suite has 2 (0, 1)",
    ),
    "one of another size": (_resize, [], "seed-1/0002-0001.png is 64×32, the suite's own images are 64×64"),
    "all of another size": (_all_smaller, [], "is 16×16, the suite's own images are 64×64; state a rule with --fit"),
    "damaged": (
        lambda r: (r / "seed-0/0000-0001.png").write_bytes(b"\x89PNG\r\n\x1a\nrest"), [],
        "seed-0/0000-0001.png: not a PNG, JPEG or WebP image",
    ),
    "empty": (lambda r: [f.unlink() for f in r.rglob("*.png")], [], "no images (.png, .jpg, .jpeg, .webp) in theirs"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_said_and_nothing_is_written(case: str, exported: Path, call: Call, run: Path) -> None:
    break_it, more, message = BAD[case]
    break_it(exported)
    before = {p: p.read_bytes() for p in run.iterdir()}
    result = _score(call, *more)
    assert result.exit_code == 2, result.stderr
    assert message in result.stderr
    assert {p: p.read_bytes() for p in run.iterdir()} == before


def test_a_missing_reference_is_said_before_anything_runs(call: Call, folder: Path) -> None:
    text = SUITE.replace("{name: avatars/prompts, per_prompt: 12}", "{name: folder, path: gone}")
    (folder / "outside.yaml").write_text(text)
    for verb in (["run", "outside.yaml"], ["score", "--images", "x", "--suite", "outside.yaml", "--as", "x"]):
        result = call(*verb, "--store", "kept")
        assert result.exit_code == 2
        assert "outside.yaml:6:14: data set 'folder'" in result.stderr
        assert "no folder of images at gone" in result.stderr
    assert not (folder / "kept").exists()
    planned = json.loads(call("plan", "outside.yaml", "--json").stdout)
    assert planned["missing_data"] == {"reference": "no folder of images at gone"}
    assert "reference: no folder of images at gone" in call("plan", "outside.yaml").stdout


def test_status_shows_outside_rows_and_gc_keeps_them_as_long_as_they_answer(
    exported: Path, call: Call, run: Path, folder: Path
) -> None:
    assert _score(call).exit_code == 0
    cells = json.loads(call("status", "run", "--json").stdout)["cells"]
    assert [(c["method"], c["seed"], c["why"]) for c in cells[-2:]] == [("outsider", s, "cached") for s in (0, 1)]
    listed = json.loads(call("store", "gc", "outside.yaml", "--store", "kept", "--json").stdout)
    assert listed["cells"] == []
    (folder / "other.yaml").write_text(SUITE.replace("first: 6", "first: 5"))
    listed = json.loads(call("store", "gc", "other.yaml", "--store", "kept", "--json").stdout)
    assert [c["method"] for c in listed["cells"]].count("external") == 2
