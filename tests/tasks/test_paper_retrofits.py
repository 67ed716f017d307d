"""The paper suites of retrofitting, end to end on tiny random checkpoints of the very classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny_checkpoints
import torch
from tiny_pipelines import build_pipeline

from harness.runs import Run, run_suite
from harness.suite import load_suite, plan
from harness.worlds.programs import problems
from harness.worlds.recipes.programs_tokenizer import build as build_tokenizer


def run(name: str, tmp_path: Path, *settings: str) -> Run:
    planned = plan(load_suite(name, settings))
    found = run_suite(planned, out=tmp_path / "run", store=tmp_path / "store", device="cpu", executor="inline")
    assert not found.failed, found.failed
    assert len(found.record["cells"]) == len(planned.cells)
    return found


def distinct(found: Run, array: str) -> int:
    """Number of different outputs among the rows."""
    return len({found.store.arrays(c["cell"], array)[array].tobytes() for c in found.record["cells"]})


def test_code_on_a_tiny_plbart(tmp_path: Path) -> None:
    chosen = problems("tune")[:9]
    tokenizer = build_tokenizer([t for p in chosen for t in (p.source, p.target)], tmp_path / "plbart")
    network = tiny_checkpoints.translator("plbart", len(tokenizer), tokenizer.pad_token_id, tokenizer.eos_token_id)
    network.save_pretrained(tmp_path / "plbart")
    lines = [
        {"name": p.name, "source": p.source, "target": p.target, "entry": p.entry,
         "tests": [{"args": list(t.args), "expected": t.expected} for t in p.tune]}
        for p in chosen
    ]  # fmt: skip
    (tmp_path / "problems.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    found = run(
        "paper/retrofit-code", tmp_path, f"model.path={tmp_path / 'plbart'}", "model.start=null", "model.beams=1",
        "model.max_length=12", f"task.problems={tmp_path / 'problems.jsonl'}", "task.tune=3", "seeds=[0]",
        "baselines.fine_tuning.steps=2",
        *(f"{k}.budget=3" for k in ("baselines.block_gains random", "baselines.block_gains one-plus-one",
                                    "methods.decoding", "methods.block_gains", "methods.cross_attention")),
    )  # fmt: skip
    assert distinct(found, "texts") > 1
    scores = found.scores[(found.scores["seed"] == "all") & (found.scores["metric"] == "code.ca.python-tests")]
    assert (scores["status"] == "ok").all()


def test_speech_on_a_tiny_encodec_with_tiny_recognisers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for name, make in (("hearer", tiny_checkpoints.whisper), ("tuner", tiny_checkpoints.wav2vec2)):
            (tmp_path / name).mkdir()
            make(tmp_path / name)
    codec = tiny_checkpoints.speech_model(tmp_path / "codec", "encodec")
    (tmp_path / "hearer.judge.yaml").write_text(f"judge: whisper\npath: {tmp_path / 'hearer'}\nlongest: 8\n")
    (tmp_path / "tuner.judge.yaml").write_text(f"judge: wav2vec2\npath: {tmp_path / 'tuner'}\n")
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    g = np.random.default_rng(0)
    for split, speaker in (("tune", "1"), ("report", "2")):
        folder = tmp_path / "speech" / split / speaker / "1"
        folder.mkdir(parents=True)
        for i in range(3):
            soundfile.write(folder / f"{speaker}-1-{i:04d}.flac", g.standard_normal(4000) * 0.1, 16000)
        words = [f"{speaker}-1-{i:04d} {split.upper()} WORD {'ABC'[i]}" for i in range(3)]
        (folder / f"{speaker}-1.trans.txt").write_text("\n".join(words))
    found = run(
        "paper/retrofit-speech", tmp_path, f"model.path={codec}", f"task.utterances={tmp_path / 'speech'}",
        "task.tune=2", "task.judge=tuner", "metrics=[wer.hearer, cer.hearer, search.gap]", "primary=[wer.hearer]",
        "seeds=[0]", *(f"{k}.budget=3" for k in ("baselines.block_gains random", "baselines.block_gains one-plus-one",
                                                 "methods.block_gains", "methods.channel_gains")),
    )  # fmt: skip
    scores = found.scores[(found.scores["seed"] == "all") & (found.scores["metric"] == "wer.hearer")]
    assert (scores["status"] == "ok").all()
    assert scores["value"].notna().all()


def test_images_on_a_tiny_stable_diffusion(tmp_path: Path) -> None:
    build_pipeline("sd", "epsilon").save_pretrained(tmp_path / "pipe")
    found = run(
        "paper/retrofit-images", tmp_path, f"model.path={tmp_path / 'pipe'}", "model.steps=2", "model.dtype=float32",
        "task.judge=sharpness", "task.first=1", "task.images_per_prompt=2", "metrics=[color.de2000, quality.sharpness]",
        "primary=[color.de2000]", "seeds=[0]", "baselines.best_of_n.n=2",
        *(f"methods.{k}.budget=2" for k in ("evolgan", "afterlearner latent", "afterlearner decoding")),
    )  # fmt: skip
    assert distinct(found, "images") > 1
    calls = {c["method"]: c["denoiser_calls"] for c in found.record["cells"]}
    assert calls["evolgan"] > calls["iid"]
