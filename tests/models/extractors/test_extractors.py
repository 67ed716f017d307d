"""Declared extractors: files found and verified, protocols followed, shapes checked, missing weights explained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.metrics import embeddings
from harness.models import extractors
from harness.models.extractors import PUBLISHED, declarations
from harness.models.extractors.places import ABSENT, PublishedFile, WeightsDiffer
from harness.models.model import MissingWeights
from harness.models.weights import sha256
from harness.scoring.extractors import Extractor, find, missing, one_pass

ONES = ("dinov2-vit-s-14", "clip-vit-b-32", "sscd-disc-mixup")


def rows(name: str, images: np.ndarray) -> np.ndarray:
    return one_pass(find("features", name).open("cpu"), images, "cpu")["features"]


def test_the_names_of_the_metrics_are_the_names_of_the_declarations() -> None:
    assert set(embeddings.PUBLISHED) == set(PUBLISHED)
    assert set(embeddings.INCEPTION) == {n for n in PUBLISHED if n.startswith("inception")}
    assert {f"clip-{m}" for m in embeddings.CLIP_MODELS} == {n for n, d in PUBLISHED.items() if d.text}
    for declared in PUBLISHED.values():
        assert declared.licence
        assert declared.summary
        assert declared.dimension > 1


@pytest.mark.parametrize("name", PUBLISHED)
def test_missing_weights_say_what_where_how_and_what_instead(name: str, weights: Path) -> None:
    with pytest.raises(MissingWeights) as caught:
        find("features", name).open("cpu")
    text = str(caught.value)
    for part in (str(weights), "fetch it with: ", "avatars"):
        assert part in text
    assert ("curl" in text) or ("hf download" in text)
    assert missing(name) is not None
    assert missing("avatars") is None


def test_identity_needs_no_file_where_a_hash_is_published_and_says_absent_elsewhere(weights: Path) -> None:
    known, unknown = find("features", "inception-clean").digest, find("features", "dinov2-vit-s-14").digest
    assert len(known) == len(unknown) == 32
    assert PUBLISHED["inception-clean"].weights.hashes() == {
        "inception-2015-12-05.pt": "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
    }
    assert set(PUBLISHED["dinov2-vit-s-14"].weights.hashes().values()) == {ABSENT}


def test_a_file_under_the_published_name_with_another_hash_is_refused(weights: Path) -> None:  # T9
    (weights / "inception-2015-12-05.pt").write_bytes(b"half a download")
    with pytest.raises(WeightsDiffer, match="published file f58cb9b6ec32"):
        find("features", "inception-clean").open("cpu")
    (weights / "pt_inception-2015-12-05-6726825d.pth").write_bytes(b"torchvision's")
    with pytest.raises(WeightsDiffer, match="6726825d"):
        find("features", "inception-legacy_pytorch").open("cpu")


@pytest.mark.parametrize("name", ONES)
def test_stand_ins_of_the_real_classes_give_rows_of_the_declared_length(
    name: str, standins: Path, pictures: np.ndarray
) -> None:
    made = rows(name, pictures)
    assert made.shape == (len(pictures), PUBLISHED[name].dimension)
    assert made.dtype == np.float32
    assert np.ptp(made, axis=0).max() > 1e-3  # different images, different features


@pytest.mark.parametrize("name", ONES)
def test_other_weights_have_another_digest(name: str, standins: Path) -> None:
    before = find("features", name).digest
    for path in standins.rglob("*"):
        if path.suffix in (".safetensors", ".pt"):
            path.write_bytes(path.read_bytes() + b"\0")
    assert find("features", name).digest != before


def test_the_resize_and_the_layer_stand_in_the_id_and_in_the_digest(weights: Path) -> None:  # T2
    declared = PUBLISHED["dinov2-vit-b-14"]
    assert dict(find("features", declared.name).protocol)["resize"] == "pil-bicubic-f32-aa:224"
    other = replace(declared, resize=replace(declared.resize, size=518))
    assert other.digest != declared.digest


def test_dinov2_is_the_class_token_of_the_real_class(standins: Path, pictures: np.ndarray) -> None:
    from transformers import Dinov2Model

    declared = PUBLISHED["dinov2-vit-s-14"]
    model = Dinov2Model.from_pretrained(standins / declared.name).eval()
    levels = torch.from_numpy(declared.resize(pictures)).permute(0, 3, 1, 2)
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        theirs = model((levels / 255 - mean) / deviation).pooler_output.numpy()
    np.testing.assert_allclose(rows(declared.name, pictures), theirs, atol=1e-5)


def test_clip_is_the_model_and_processor_of_transformers(standins: Path, pictures: np.ndarray) -> None:
    from transformers import CLIPModel, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    folder, texts = standins / "clip-vit-b-32", ["a hat", "a longer prompt about a baker"]
    model = CLIPModel.from_pretrained(folder).eval()
    tokens = CLIPTokenizer.from_pretrained(folder)(
        texts, padding=True, truncation=True, max_length=12, return_tensors="pt"
    )
    pixels = CLIPImageProcessorPil()(list(pictures), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        theirs = model(pixel_values=pixels, **tokens)
    ours = rows("clip-vit-b-32", pictures)
    ours /= np.linalg.norm(ours, axis=1, keepdims=True)
    np.testing.assert_allclose(ours, theirs.image_embeds.numpy(), atol=1e-5)
    tower = find("features", "clip-vit-b-32").text
    assert tower is not None
    embedded, cut = tower("cpu")(tuple(texts))
    embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
    np.testing.assert_allclose(embedded, theirs.text_embeds.numpy(), atol=1e-5)
    assert cut.tolist() == [False, True]  # T34: twelve tokens hold the first, not the second


def test_features_of_another_shape_than_declared_are_an_error(  # T10
    standins: Path, pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = PUBLISHED["sscd-disc-mixup"]
    monkeypatch.setitem(extractors.PUBLISHED, declared.name, replace(declared, dimension=1024))
    with pytest.raises(ValueError, match=r"shape \(64, 512\).*declared is \(N, 1024\)"):
        rows(declared.name, pictures)


@pytest.mark.parametrize("name", ONES)
def test_flags_set_outside_change_no_byte(name: str, standins: Path, pictures: np.ndarray) -> None:  # T11
    plain = rows(name, pictures)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.allow_tf32 = True
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert rows(name, pictures).tobytes() == plain.tobytes()
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("name", ONES)
def test_an_image_does_not_feel_its_batch(name: str, standins: Path, pictures: np.ndarray) -> None:  # T12
    whole = rows(name, pictures)
    for count in (1, 3):
        np.testing.assert_array_equal(rows(name, pictures[:count]), whole[:count])


def test_a_users_own_embedding_is_declared_in_a_file_and_named_in_metrics(standins: Path, pictures: np.ndarray) -> None:
    from harness.metrics import METRICS

    source = standins / "sscd_disc_mixup.torchscript.pt"
    (standins / "copies-v2.pt").write_bytes(source.read_bytes())
    text = "file: copies-v2.pt\ndimension: 512\nsize: 96\nlicence: MIT\n"
    (standins / "copies-v2.embedding.yaml").write_text(text)
    assert "copies-v2" in METRICS.names() or "nn.copies-v2.median" in METRICS.names()
    assert "shield.inside.copies-v2" in METRICS
    assert rows("copies-v2", pictures).shape == (7, 512)
    digest = find("features", "copies-v2").digest
    (standins / "copies-v2.embedding.yaml").write_text(text + f"sha256: {sha256(source)}\n")
    assert find("features", "copies-v2").digest == digest  # a stated hash is the one that is found
    (standins / "copies-v2.embedding.yaml").write_text(text.replace("size", "sizes"))
    with pytest.raises(ValueError, match=r"copies-v2.embedding.yaml: .*sizes"):
        declarations()


def test_a_file_without_a_published_hash_is_named_by_the_hash_it_has(weights: Path) -> None:
    file = PublishedFile("x.pt", "https://example.org/x.pt")
    assert file.hashes() == {"x.pt": ABSENT}
    (weights / "x.pt").write_bytes(b"weights")
    assert file.hashes() == {"x.pt": sha256(weights / "x.pt")}
    file.verify()


def test_an_extractor_without_a_text_tower_has_none() -> None:
    assert find("features", "dinov2-vit-s-14").text is None
    assert isinstance(find("features", "avatars"), Extractor)
    with pytest.raises(ValueError, match="reads no text"):
        PUBLISHED["dinov2-vit-s-14"].open_text("cpu")
