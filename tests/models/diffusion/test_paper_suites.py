"""The paper suites, end to end on tiny random pipelines of the very classes on disk; only counts are reduced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_pipelines import build_pipeline

from harness.runs import run_suite
from harness.suite import load_suite, plan
from harness.suite.errors import SuiteError
from harness.suite.loading import suite_names

# Suite, kind of pipeline, kind of prediction, and what a tiny pipeline needs besides (Flux has no size of its own).
SUITES = {
    "paper/sd15": ("sd", "epsilon", ()),
    "paper/sd21": ("sd", "v_prediction", ()),
    "paper/sdxl": ("sdxl", "epsilon", ()),
    "paper/sd3-medium": ("sd3", "epsilon", ()),
    "paper/flux": ("flux-dev", "epsilon", ("model.size=16",)),
    "paper/dit-imagenet": ("dit", "epsilon", ()),
}
# One prompt of four images, four steps: seconds. Color metrics need no weights.
FEWER = ("task.first=1", "task.images_per_prompt=4", "model.steps=4", "seeds=[0]")
METRICS = ("metrics=[color.de2000, color.hue]", "primary=[color.de2000]")


def _saved(name: str, folder: Path) -> tuple[str, ...]:
    kind, prediction, more = SUITES[name]
    build_pipeline(kind, prediction).save_pretrained(folder)
    return (f"model.path={folder}", *more)


def test_there_is_one_suite_a_pipeline_and_all_are_shipped() -> None:
    named = {name for name in suite_names() if name.startswith("paper/")}
    others = ("paper/retrofit", "paper/cloaking", "paper/unlearn")
    assert set(SUITES) == {name for name in named if not name.startswith(others)}


@pytest.mark.parametrize("name", list(SUITES))
def test_a_paper_suite_runs_on_a_tiny_pipeline_of_its_class(name: str, tmp_path: Path) -> None:
    """In the suite's own precision. That each method acts on each architecture is test_architectures' matter."""
    settings = (*_saved(name, tmp_path / "pipe"), *FEWER, *METRICS)
    planned = plan(load_suite(name, settings))
    found = run_suite(planned, out=tmp_path / "run", store=tmp_path / "store", device="cpu", executor="inline")
    assert not found.failed
    assert len(found.record["cells"]) == len(planned.cells) > 10
    stored = {c.label: found.store.cell(c.cell.address) for c in planned.cells}
    arrays: dict[str, Any] = {label: s.arrays("images", "latents") for label, s in stored.items() if s is not None}
    for label, made in arrays.items():
        assert np.isfinite(made["latents"]).all(), label
        assert made["images"].shape == (4, 16, 16, 3)
    for label in ("low_guidance", "diverse_diffusion"):
        assert not np.array_equal(arrays[label]["latents"], arrays["iid"]["latents"]), f"{label} did nothing"


@pytest.mark.parametrize("name", list(SUITES))
def test_a_plan_states_the_download_and_a_run_says_how(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from harness.cli.main import app

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["plan", name, "--json"])
    assert told.exit_code == 0, told.output
    forecast = json.loads(told.stdout)
    hub_id = forecast["needs"]["download"]
    assert "/" in hub_id
    assert forecast["needs"]["download_bytes"] > 1e9
    assert forecast["needs"]["device_bytes"] > forecast["needs"]["device_bytes_one_item"] > 1e9
    assert forecast["images"] == len(forecast["rows"]) * 3 * 64 * 10
    words = " ".join(CliRunner().invoke(app, ["plan", name]).stdout.split())
    assert f"to download: {hub_id}" in words
    assert "device memory: about" in words
    refused = CliRunner().invoke(app, ["run", name])
    assert refused.exit_code == 2
    assert f"hf download {hub_id}" in refused.stderr
    assert "--set model.path=FOLDER" in refused.stderr


def test_a_missing_directory_or_prompts_file_is_an_error_that_says_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"put a pipeline directory .* at /no/such"):
        plan(load_suite("paper/sd15", ("model.path=/no/such",)), fetchable=True)
    with pytest.raises(SuiteError, match=r"no prompts file at mine\.txt: put a text file there, one prompt a line"):
        load_suite("paper/sd15", ("task.prompts=mine.txt",))
    prompts = tmp_path / "mine.txt"
    prompts.write_text("a hat\n\na dog\n")
    assert load_suite("paper/sd15", (f"task.prompts={prompts}",)).task.texts() == ("a hat", "a dog")


def test_a_reference_is_added_as_the_suites_say() -> None:
    loaded = load_suite(
        "paper/sd15",
        (
            "data.reference.name=folder",
            "data.reference.path=val2014",
            "metrics=[fid, kid, fd.dinov2-vit-b-14, recall.dinov2-vit-b-14, vendi.dinov2-vit-b-14.prompt]",
            "primary=[fid]",
        ),
    )
    assert loaded.primary == ("fid",)
