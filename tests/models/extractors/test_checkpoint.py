"""Networks of transformers that a user declares: tiny checkpoints of the real classes, read as their processors do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.metrics import METRICS
from harness.models.extractors import declarations
from harness.models.extractors.checkpoint import dimension, preprocessing
from harness.models.feature_spaces import feature_space
from harness.models.model import MissingWeights
from harness.scoring.extractors import find, one_pass

TOWER: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
MEAN, DEVIATION = [0.4, 0.5, 0.6], [0.2, 0.3, 0.4]


def save(folder: Path, model: Any, processor: Any) -> None:
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def tiny(kind: str) -> tuple[Any, Any]:
    """A random network of a class and its Pillow processor, neither of any default size."""
    import torch
    import transformers as t
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    normal = {"image_mean": MEAN, "image_std": DEVIATION}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if kind == "dinov2":
            shape = {k: v for k, v in TOWER.items() if k != "intermediate_size"}
            config = t.Dinov2Config(**shape, mlp_ratio=1, image_size=42, patch_size=14)
            processor = BitImageProcessorPil(
                size={"shortest_edge": 52}, crop_size={"height": 42, "width": 42}, resample=3, **normal
            )
            return t.Dinov2Model(config), processor
        if kind == "clip":
            text = {**TOWER, "vocab_size": 30, "max_position_embeddings": 12, "projection_dim": 24}
            vision = {**TOWER, "image_size": 32, "patch_size": 8, "projection_dim": 24}
            clip = t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
            processor = CLIPImageProcessorPil(
                size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, **normal
            )
            return t.CLIPModel(clip), processor
        siglip = t.SiglipVisionConfig(**TOWER, image_size=32, patch_size=8)
        square = SiglipImageProcessorPil(
            size={"height": 32, "width": 32}, resample=2, rescale_factor=1 / 127.5, **normal
        )
        return t.SiglipVisionModel(siglip), square


@pytest.fixture
def declare(weights: Path) -> Callable[..., None]:
    """name, keys → NAME.embedding.yaml."""

    def written(name: str, **keys: Any) -> None:
        (weights / f"{name}.embedding.yaml").write_text(json.dumps(keys), encoding="utf-8")

    return written


def reference(model: Any, processor: Any, images: np.ndarray, layer: str) -> np.ndarray:
    """By transformers alone: processor, model, the named output."""
    import torch

    pixels = processor(list(images), return_tensors="pt")["pixel_values"]
    model = model.eval()
    with torch.inference_mode():
        if layer == "projection":
            made = model.get_image_features(pixel_values=pixels)
            return getattr(made, "pooler_output", made).numpy()
        made = getattr(model, "vision_model", model)(pixel_values=pixels)
        tokens = made.last_hidden_state
        found = {"class_token": tokens[:, 0], "pooled": made.pooler_output, "mean_token": tokens.mean(dim=1)}
        return found[layer].numpy()


@pytest.mark.parametrize(
    ("kind", "network", "layer", "length"),
    [
        ("dinov2", "Dinov2Model", "class_token", 32),
        ("dinov2", "AutoModel", "mean_token", 32),
        ("clip", "CLIPModel", "projection", 24),
        ("clip", "AutoModel", "pooled", 32),
        ("siglip", "SiglipVisionModel", "pooled", 32),
    ],
)
def test_features_are_those_of_transformers(
    kind: str, network: str, layer: str, length: int, weights: Path, declare: Callable[..., None], pictures: np.ndarray
) -> None:
    model, processor = tiny(kind)
    save(weights / "folder", model, processor)
    declare("mine", checkpoint="folder", network=network, layer=layer)
    ours = one_pass(find("features", "mine").open("cpu"), pictures, "cpu")["features"]
    theirs = reference(model, processor, pictures, layer)
    assert ours.shape == (len(pictures), length)
    assert np.abs(ours - theirs).max() <= 2e-5 * np.abs(theirs).max()
    swapped = reference(model, processor, pictures[..., ::-1], layer)
    assert np.abs(ours - swapped).max() > 1e-3 * np.abs(theirs).max()  # the test sees the input


def test_metrics_and_methods_know_it_by_name(weights: Path, declare: Callable[..., None]) -> None:
    import torch

    save(weights / "folder", *tiny("dinov2"))
    declare("mine", checkpoint="folder", network="Dinov2Model")
    for metric in ("fd.mine", "kd.mine", "coverage.mine", "vendi.mine"):
        assert METRICS.resolve(metric).bound
    images = torch.rand(2, 3, 40, 60, generator=torch.Generator().manual_seed(0)).requires_grad_()
    rows = feature_space("mine").open("cpu")(images)
    rows[:, 0].sum().backward()  # the sum of a normalised row is always 0
    assert rows.shape == (2, 32)
    assert float(images.grad.abs().max()) > 0  # type: ignore[union-attr]


def test_the_protocol_is_in_words_and_everything_that_matters_in_the_digest(
    weights: Path, declare: Callable[..., None]
) -> None:
    model, processor = tiny("dinov2")
    save(weights / "folder", model, processor)
    declare("mine", checkpoint="folder", network="Dinov2Model")
    found = declarations()["mine"]
    assert found.protocol == (
        ("resize", "pil-bicubic-u8-aa:52:shortest:crop42"),
        ("layer", "class token after the last norm of Dinov2Model"),
    )
    digests = {found.digest}
    file = weights / "folder" / "preprocessor_config.json"
    stated = json.loads(file.read_text(encoding="utf-8"))
    for change in (
        {"image_mean": [0.5] * 3},
        {"resample": 2},
        {"rescale_factor": 1 / 256},
        {"size": {"shortest_edge": 50}},
    ):
        file.write_text(json.dumps({**stated, **change}), encoding="utf-8")
        digests.add(declarations()["mine"].digest)
    file.write_text(json.dumps(stated), encoding="utf-8")
    declare("mine", checkpoint="folder", network="Dinov2Model", layer="mean_token")
    digests.add(declarations()["mine"].digest)
    declare("mine", checkpoint="folder", network="Dinov2Model", summary="of mine")
    assert declarations()["mine"].digest == found.digest
    with (weights / "folder" / "model.safetensors").open("r+b") as handle:
        handle.seek(-1, 2)
        handle.write(b"\x01")
    digests.add(declarations()["mine"].digest)
    assert len(digests) == 7


def test_what_is_not_here_says_what_to_fetch(declare: Callable[..., None], weights: Path) -> None:
    declare("hub", checkpoint="owner/net", revision="abc123")
    declare("local", checkpoint="./nowhere")
    for name, parts in (
        ("hub", ("checkpoint owner/net", "hf download owner/net --revision abc123")),
        ("local", ("config.json, preprocessor_config.json", "nowhere", "--local-dir")),
    ):
        with pytest.raises(MissingWeights) as caught:
            find("features", name).open("cpu")
        assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_layers_without_weights_are_refused(weights: Path, declare: Callable[..., None]) -> None:
    """CLIP's class over DINOv2's file would start from random numbers in silence."""
    model, processor = tiny("clip")
    save(weights / "folder", model.vision_model, processor)
    clip = json.loads(model.config.to_json_string(use_diff=False))
    (weights / "folder" / "config.json").write_text(json.dumps(clip), encoding="utf-8")
    declare("mine", checkpoint="folder", network="CLIPModel", layer="projection")
    with pytest.raises(ValueError, match="has no weights for"):
        find("features", "mine").open("cpu")


@pytest.mark.parametrize(
    ("network", "layer", "said"),
    [
        ("NoSuchModel", "class_token", "no model class 'NoSuchModel'"),
        ("CLIPProcessor", "class_token", "no model class 'CLIPProcessor'"),
        ("Dinov2Model", "projection", "has no image projection"),
    ],
)
def test_a_class_or_layer_that_is_not_there_is_said(
    network: str, layer: str, said: str, weights: Path, declare: Callable[..., None], pictures: np.ndarray
) -> None:
    save(weights / "folder", *tiny("dinov2"))
    declare("mine", checkpoint="folder", network=network, layer=layer)
    with pytest.raises(ValueError, match=said):
        one_pass(find("features", "mine").open("cpu"), pictures, "cpu")


def test_a_stated_length_that_is_wrong_is_refused(
    weights: Path, declare: Callable[..., None], pictures: np.ndarray
) -> None:  # T10
    save(weights / "folder", *tiny("dinov2"))
    declare("mine", checkpoint="folder", dimension=31)
    with pytest.raises(ValueError, match=r"declared is \(N, 31\)"):
        one_pass(find("features", "mine").open("cpu"), pictures, "cpu")


STATED = {"resample": 3, "size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": 224,
          "image_mean": MEAN, "image_std": DEVIATION}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "resize"),
    [
        ({}, "pil-bicubic-u8-aa:256:shortest:crop224"),
        ({"size": {"height": 40, "width": 40}, "do_center_crop": False, "resample": 2}, "pil-bilinear-u8-aa:40"),
        ({"size": 224, "feature_extractor_type": "CLIPFeatureExtractor"}, "pil-bicubic-u8-aa:224:shortest:crop"),
        (
            {"size": 224, "image_processor_type": "ViTImageProcessorFast", "do_center_crop": False},
            "pil-bicubic-u8-aa:224",
        ),
        ({"size": 256, "image_processor_type": "DeiTImageProcessor"}, "pil-bicubic-u8-aa:256:crop224"),
    ],
)
def test_a_processors_rules_are_named(change: dict[str, Any], resize: str) -> None:
    assert str(preprocessing({**STATED, **change})[0]) == resize


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"do_resize": False}, "does not resize"),
        ({"do_pad": True}, "or pads"),
        ({"resample": 1}, "resizes by rule 1"),
        ({"size": 224}, "write it out"),
        ({"size": {"height": 40, "width": 50}}, "no square"),
        ({"size": {"longest_edge": 40}}, "no square"),
        ({"do_center_crop": False}, "no one length"),
        ({"do_center_crop": None}, "does not say whether it crops"),
        ({"crop_size": 300}, "crops 300 pixels of 256"),
        ({"image_mean": [0.5]}, "three numbers"),
        ({"image_std": [0.5, 0.0, 0.5]}, "three numbers"),
    ],
)
def test_a_preprocessing_that_is_not_known_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        preprocessing({**STATED, **change})


def test_lengths_come_from_the_checkpoint() -> None:
    clip = {"projection_dim": 512, "vision_config": {"hidden_size": 768, "projection_dim": 1}, "text_config": {}}
    assert dimension(clip, "projection") == 512
    assert dimension(clip, "class_token") == 768
    assert dimension({"hidden_size": 384}, "mean_token") == 384
    with pytest.raises(ValueError, match="no hidden_size"):
        dimension({}, "pooled")
