"""Packs: insightface's own answer on a pack of toy networks, consent to licences, and gradients through the crop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_recognisers import convolutions, save_onnx
from toy_detector import POINTS, save_detector, with_squares

from harness.models.faces import find
from harness.models.faces.insightface_pack import Pack
from harness.models.model import MissingWeights


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs") / "toys"
    save_detector(folder / "det_toy.onnx")
    save_onnx(convolutions(), folder / "w_toy.onnx")
    return folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy detector knows cells of one size only, so pictures are looked at as they are."""
    monkeypatch.setattr("harness.models.faces.insightface_pack.DETECT_AT", (128,))


def declare(weights: Path, pack: Path, text: str = "") -> None:
    (weights / "toy.recogniser.yaml").write_text(f"recogniser: insightface-pack\npack: {pack}\n{text}\n")


@pytest.mark.usefixtures("small")
def test_vectors_are_those_of_insightface(pack: Path, weights: Path) -> None:
    from insightface.app import FaceAnalysis

    declare(weights, pack)
    images = np.stack([with_squares((64, 64)), with_squares((48, 72)), with_squares()])
    seen = find("toy").open("cpu")(images)
    assert seen.found.tolist() == [True, True, False]
    assert not seen.vectors[2].any()
    app = FaceAnalysis(str(pack), allowed_modules=["detection", "recognition"], providers=["CPUExecutionProvider"])
    app.prepare(ctx_id=-1, det_size=(128, 128))
    for image, row in zip(images[:2], seen.vectors[:2], strict=True):
        (face,) = app.get(np.ascontiguousarray(image[..., ::-1]))
        theirs = face.embedding / np.linalg.norm(face.embedding)
        assert row @ theirs > 0.9999  # OpenCV samples in steps of 1/32 px and rounds to bytes
    assert seen.vectors[0] @ seen.vectors[1] < 0.9999


@pytest.mark.usefixtures("small")
def test_the_detector_gives_boxes_and_points_of_the_picture(pack: Path) -> None:
    (face,) = Pack(str(pack)).detector()(with_squares((64, 48)))
    assert face.box == (32.0, 16.0, 96.0, 80.0)
    np.testing.assert_allclose(face.points, np.array([64, 48]) + 8 * POINTS, atol=1e-3)
    assert face.score > 0.5
    assert Pack(str(pack)).detector()(np.zeros((8, 200, 3), np.uint8)) == ()


@pytest.mark.usefixtures("small")
def test_gradients_pass_the_crop_and_rows_without_a_face_are_zeros(pack: Path, weights: Path) -> None:
    declare(weights, pack)
    images = np.stack([with_squares(), with_squares((64, 64))])
    seen = find("toy").open("cpu")(images)
    pixels = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255).requires_grad_()
    rows = find("toy").gradient("cpu")(pixels)
    np.testing.assert_allclose(rows.detach().numpy(), seen.vectors, atol=1e-4)
    rows[1, 0].backward()
    assert pixels.grad is not None
    assert not pixels.grad[0].any()
    box = pixels.grad[1].abs().sum(0) > 0
    rows_hit, columns_hit = (np.flatnonzero(box.any(axis).numpy()) for axis in (1, 0))
    assert rows_hit.min() >= 31  # a crop's edge between two pixels touches both
    assert columns_hit.max() <= 97  # the crop is the box


@pytest.mark.usefixtures("small")
def test_aligned_frames_go_past_the_detector(pack: Path, weights: Path, pictures: np.ndarray) -> None:
    declare(weights, pack)
    sought = find("toy").identity()
    declare(weights, pack, "aligned: true")
    assert find("toy").open("cpu")(pictures).found.all()
    assert find("toy").identity() != sought


def test_a_restricted_pack_needs_consent_and_a_place(
    tmp_path: Path, weights: Path, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.delenv("HARNESS_ACCEPT_LICENCE", raising=False)
    found = find("buffalo-l")
    text = "\n".join(map(str, found.missing()))
    assert "ensure_available" in text
    assert "non-commercial research only" in text
    assert "HARNESS_ACCEPT_LICENCE=buffalo_l" in text
    assert "avatars-resnet-a" in text
    with pytest.raises(MissingWeights):
        found.open("cpu")
    (weights / "buffalo_l").symlink_to(pack)
    assert ["consent" in str(m) for m in found.missing()] == [True]  # here, but not yet accepted
    with pytest.raises(MissingWeights, match="consent"):
        found.open("cpu")
    monkeypatch.setenv("HARNESS_ACCEPT_LICENCE", "antelopev2, buffalo_l")
    assert find("buffalo-l").missing() == ()
    assert Pack("buffalo_s", consent=True).missing()[0].what == "insightface pack buffalo_s"


def test_another_network_in_the_pack_is_another_recogniser(tmp_path: Path, weights: Path) -> None:
    save_detector(tmp_path / "p" / "det.onnx")
    save_onnx(convolutions(), tmp_path / "p" / "w.onnx")
    declare(weights, tmp_path / "p")
    before = find("toy").identity()
    save_onnx(convolutions(3), tmp_path / "p" / "w.onnx")
    assert find("toy").identity() != before
