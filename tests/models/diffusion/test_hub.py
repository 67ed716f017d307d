"""Model adapters: what is missing is said, weights are hashed without torch, a saved pipeline opens as it was."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.methods.method import Group
from harness.models import MODELS
from harness.models.model import Missing, MissingWeights, OutOfMemory
from harness.options import OptionError, build


@pytest.fixture(scope="module")
def saved(tiny_pipeline: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipe")
    tiny_pipeline("sd").save_pretrained(folder)
    return folder


def _model(path: Path | str, **options: Any) -> Any:
    return build(MODELS.get("diffusers"), {"path": str(path), **options})


def test_a_saved_pipeline_opens_and_samples_as_the_one_in_memory(saved: Path, tiny_model: Any) -> None:
    from harness.models.diffusion.loop import sample
    from harness.models.diffusion.stage import Untouched

    opened = _model(saved, steps=4, guidance=3.0, scheduler="euler").open("cpu")
    groups = [Group(7, 0, "a hat", 0, (0, 1))]
    here, there = (sample(m, Untouched(), groups, seed=7, micro_batch=2) for m in (opened, tiny_model("sd", "euler")))
    assert np.array_equal(here.latents, there.latents)
    assert opened.fingerprint


def test_weights_are_every_file_that_loading_reads(saved: Path) -> None:
    weights = _model(saved).weights()
    assert {"model_index.json", "scheduler/scheduler_config.json", "unet/config.json"} <= set(weights)
    name = "unet/diffusion_pytorch_model.safetensors"
    assert weights[name] == hashlib.sha256((saved / name).read_bytes()).hexdigest()


def test_a_changed_file_changes_its_hash_and_the_fingerprint(saved: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(saved, tmp_path / "copy")
    model = _model(tmp_path / "copy")
    before = model.weights(), model.fingerprint()
    assert before[0] == _model(saved).weights()
    path = tmp_path / "copy" / "scheduler" / "scheduler_config.json"
    path.write_text(path.read_text().replace("0.012", "0.013"))
    os.utime(path, (1, 1))
    after = model.weights()
    assert [k for k in after if after[k] != before[0][k]] == ["scheduler/scheduler_config.json"]
    assert model.fingerprint() != before[1]
    assert _model(saved, steps=3).fingerprint() != _model(saved, steps=4).fingerprint()


def test_large_files_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.models import weights

    monkeypatch.setattr(weights, "REMEMBER_BYTES", 4)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "weights.bin"
    file.write_bytes(b"12345678")
    first = weights.sha256(file)
    weights._seen.clear()
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert weights.sha256(file) == first == hashlib.sha256(b"12345678").hexdigest()


def test_missing_weights_say_what_where_how_and_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    model = _model("someone/some-model", revision="abc")
    (missing,) = model.missing()
    text = str(missing)
    assert "pipeline 'someone/some-model'" in text
    assert "hub cache" in text
    assert "hf download someone/some-model --revision abc" in text
    assert "avatars-sd" in text
    for action in (model.weights, lambda: model.open("cpu")):
        with pytest.raises(MissingWeights, match="hf download someone/some-model"):
            action()


def test_an_incomplete_directory_names_the_component(saved: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(saved, tmp_path / "copy")
    (tmp_path / "copy" / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (missing,) = _model(tmp_path / "copy").missing()
    assert "component 'unet'" in str(missing)


def test_a_pipeline_of_another_class_is_named(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "KandinskyPipeline"}))
    (missing,) = _model(tmp_path).missing()
    assert "is a KandinskyPipeline" in str(missing)
    assert "StableDiffusion3Pipeline" in str(missing)


def test_options_are_checked_against_closed_lists() -> None:
    with pytest.raises(OptionError, match="scheduler"):
        build(MODELS.get("diffusers"), {"path": "x", "scheduler": "eular"})
    with pytest.raises(OptionError, match="steps"):
        build(MODELS.get("avatars-sd"), {"steps": 0})


def test_a_scheduler_of_the_wrong_kind_is_refused_on_opening(tiny_pipeline: Callable[..., Any]) -> None:
    from diffusers import EulerAncestralDiscreteScheduler

    from harness.models.diffusion.adapter import Diffusion
    from harness.models.diffusion.timetable import UnsupportedScheduler

    with pytest.raises(UnsupportedScheduler, match="'ddim' does not fit a model that predicts a flow"):
        Diffusion(tiny_pipeline("sd3"), steps=2, guidance=1.0, scheduler_name="ddim")
    with pytest.raises(UnsupportedScheduler, match="'flow_euler' does not fit"):
        Diffusion(tiny_pipeline("sd"), steps=2, guidance=1.0, scheduler_name="flow_euler")
    pipe = tiny_pipeline("sd")
    before, pipe.scheduler = pipe.scheduler, EulerAncestralDiscreteScheduler()
    try:
        with pytest.raises(UnsupportedScheduler, match="EulerAncestralDiscreteScheduler is not supported"):
            Diffusion(pipe, steps=2, guidance=1.0)
    finally:
        pipe.scheduler = before
    with pytest.raises(ValueError, match="not a multiple of 2 px"):
        Diffusion(pipe, steps=2, guidance=1.0, size_px=17)


def test_shipped_models_take_steps_and_guidance_from_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.models.diffusion import zoo

    monkeypatch.setattr(zoo, "ZOO", tmp_path)
    (tmp_path / "avatars-sd").mkdir()
    model = build(MODELS.get("avatars-sd"), {"steps": 7})
    assert model.settings() == {"steps": 7, "guidance": 3.0}
    card = {"licence": "Apache-2.0", "sampling": {"steps": 11, "guidance": 4.5}}
    (tmp_path / "avatars-sd" / "card.json").write_text(json.dumps(card))
    assert build(MODELS.get("avatars-sd"), {}).settings() == {"steps": 11, "guidance": 4.5}
    assert model.licence == "Apache-2.0"
    assert "harness zoo train avatars-sd" in str(model.missing()[0])


def test_errors_survive_the_way_between_processes() -> None:
    missing = Missing("a", ("b",), "c")
    assert pickle.loads(pickle.dumps(MissingWeights((missing,)))).missing == (missing,)
    assert pickle.loads(pickle.dumps(OutOfMemory(2, (4, 2), "x"))).tried == (4, 2)


def test_methods_and_models_are_read_without_torch() -> None:
    """`harness list` and planning stay fast."""
    code = (
        "import sys\nfrom harness.methods import METHODS\nfrom harness.models import MODELS\n"
        "from harness.methods.baseline import baseline_names, load_baseline\n"
        "for r in (METHODS, MODELS): [r.get(n) for n in r.entries]\n"
        "[load_baseline(n) for n in baseline_names()]\n"
        "from harness.options import build\nm = build(MODELS.get('avatars-sd'), {})\nm.missing(), m.settings()\n"
        "bad = {'torch', 'diffusers', 'transformers', 'scipy'} & set(sys.modules)\nsys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_flags_are_set_once_and_recorded() -> None:
    import torch

    from harness.models.determinism import recorded, settle

    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    try:
        flags = settle(threads=1)
        assert flags == recorded()
        assert not flags["tf32_matmul"]
        assert not flags["cudnn_benchmark"]
        assert flags["deterministic_algorithms"]
        assert flags["threads"] == 1
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
