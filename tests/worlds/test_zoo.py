"""Shipped models: hashes, cards, sizes, and that the loaders read them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.models.zoo import ROOT, ZOO, entry, verify
from harness.models.zoo.card import WeightsChanged, check

BUDGET_MB = 40  # all shipped weights together


@pytest.mark.parametrize("name", ZOO)
def test_the_files_are_the_ones_on_the_card(name: str) -> None:
    hashes = verify(name)
    assert any(file.endswith((".safetensors", ".onnx")) for file in hashes)
    on_disk = {p.relative_to(ROOT / name).as_posix() for p in (ROOT / name).rglob("*.safetensors")}
    assert on_disk <= hashes.keys()
    card = ZOO[name].card
    for field in ("data", "recipe", "seed", "device", "steps", "licence", "measured"):
        assert field in card, field
    assert card["licence"] == "Apache-2.0"
    assert card["recipe"] == ZOO[name].recipe


def test_a_changed_file_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(ZOO["avatars-features"].directory, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsChanged, match="its card says"):
        check(folder)
    weights.unlink()
    with pytest.raises(WeightsChanged, match="missing"):
        check(folder)
    with pytest.raises(KeyError, match="avatars-sd"):
        entry("avatars")


def test_all_weights_together_stay_within_the_budget() -> None:
    size = sum(p.stat().st_size for p in ROOT.rglob("*") if p.is_file())
    assert size < BUDGET_MB * 2**20


def test_the_registry_is_readable_without_torch() -> None:
    code = "import sys, harness.models.zoo as z; z.verify('avatars-features'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_card_or_config_names_a_machine_path() -> None:
    for path in ROOT.rglob("*.json"):
        if path.name != "tokenizer.json":
            assert "/tmp/" not in path.read_text(), path
            assert "name_or_path" not in json.loads(path.read_text()), path


def test_avatars_sd_measures_what_is_asked_of_it() -> None:
    card = ZOO["avatars-sd"].card
    measured = card["measured"]
    accuracies = measured["complete_accuracy"]
    assert measured["complete_mean_accuracy"] == pytest.approx(np.mean(list(accuracies.values())), abs=1e-3)
    assert measured["complete_mean_accuracy"] >= 0.85
    assert min(accuracies.values()) >= 0.7
    distance, spread = measured["open_total_variation_to_declared"], measured["open_spread"]
    assert distance["guided"] > distance["training_renders"]
    assert spread["guided"] < spread["training_renders"]
    assert 1 < card["sampling"]["guidance"] <= 7.5


def test_the_classifier_reads_fresh_renders() -> None:
    import torch

    from harness.models.classifier import AttributeClassifier
    from harness.worlds.avatars.attributes import ATTRIBUTES, sample
    from harness.worlds.avatars.draw import render

    portraits = sample(300, 987)
    images = torch.from_numpy(render(portraits)).permute(0, 3, 1, 2).float() / 255
    model = AttributeClassifier.load(ZOO["avatars-attributes"].directory)
    predicted = model.predict(images)
    for attribute in ATTRIBUTES:
        p = predicted[attribute.name]
        assert p.shape == (300, len(attribute.classes))
        assert torch.allclose(p.sum(1), torch.ones(300), atol=1e-5)
        accuracy = float((p.argmax(1).numpy() == portraits.labels[attribute.name]).mean())
        assert accuracy > ZOO["avatars-attributes"].card["measured"]["renders"][attribute.name]["accuracy"] - 0.05
    with pytest.raises(ValueError, match="expected"):
        model.predict(images[:, :, :32])


@pytest.mark.parametrize(("name", "size"), [("avatars-features", 64), ("digits-features", 32)])
def test_features_are_float32_and_do_not_depend_on_the_batch(name: str, size: int) -> None:
    import torch

    from harness.keys import generator
    from harness.models.features import FeatureExtractor

    model = FeatureExtractor.load(ZOO[name].directory)
    images = torch.from_numpy(generator(1, "world").random((9, 3, size, size), dtype=np.float32))
    features = model.extract(images)
    assert features.shape == (9, 64)
    assert features.dtype == torch.float32
    assert torch.allclose(features, model.extract(images, batch=2), atol=1e-4)
    assert float(features.std(0).min()) > 0


def test_the_pipelines_load_as_stable_diffusion() -> None:
    import torch
    from diffusers import StableDiffusionPipeline

    for name, prompt, size in (("avatars-sd", "a portrait of Orla", 64), ("digits-sd", "a handwritten seven", 32)):
        parts = StableDiffusionPipeline.from_pretrained(ZOO[name].directory, dtype=torch.float32)
        parts.set_progress_bar_config(disable=True)
        image = parts(
            prompt, num_inference_steps=2, output_type="np", generator=torch.Generator().manual_seed(0)
        ).images
        assert image.shape == (1, size, size, 3)
        tokens = parts.tokenizer.tokenize(prompt)
        assert len(tokens) == len(prompt.split())


@pytest.mark.parametrize("name", [n for n, e in ZOO.items() if e.kind == "recogniser"])
def test_recognisers_verify_people_never_seen_and_the_weak_one_is_declared(name: str) -> None:
    card = ZOO[name].card
    tar = card["measured"]["tar_at_far_0.01"]
    assert tar < 0.9 if name == "avatars-weak" else tar > 0.9
    assert card["measured"]["false_acceptance_at_far_0.01"] < 0.02
