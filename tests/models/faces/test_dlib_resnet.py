"""dlib as a black box on real photographs: insightface's own sample picture, which shows six people."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.face_frames import cut
from harness.data.face_geometry import Face, similarity, template
from harness.models.faces import NoGradients, find
from harness.models.faces.alignment import aligner
from harness.models.faces.detection import detector
from harness.models.model import MissingWeights


@pytest.fixture(scope="module")
def group() -> np.ndarray:
    """The sample picture (H, W, 3) of the installed package."""
    spec = find_spec("insightface")
    assert spec is not None
    assert spec.origin is not None
    return np.asarray(Image.open(Path(spec.origin).parent / "data/images/t1.jpg").convert("RGB"))


@pytest.fixture(scope="module")
def people(group: np.ndarray) -> list[Face]:
    """The faces from left to right."""
    return sorted(detector("dlib")(group), key=lambda f: f.box[0])


@pytest.fixture(scope="module")
def frames(group: np.ndarray, people: list[Face]) -> np.ndarray:
    """(6, 160, 160, 3)."""
    return np.stack([cut(group, similarity(f.points, template(160, 0.25)), 160) for f in people])


def test_six_people_are_found_with_points_in_place(people: list[Face]) -> None:
    assert len(people) == 6
    for face in people:
        left, top, right, bottom = face.box
        eye, other, nose, mouth, corner = face.points
        assert left < eye[0] < nose[0] < other[0] < right
        assert mouth[0] < corner[0]
        assert top < max(eye[1], other[1]) < nose[1] < min(mouth[1], corner[1]) < bottom


def test_a_face_is_nearer_to_itself_under_small_changes_than_to_anybody_else(frames: np.ndarray) -> None:
    see = find("dlib-resnet").open("cpu")
    seen = see(frames)
    assert seen.found.all()  # a frame has margin enough for a detector
    np.testing.assert_allclose(np.linalg.norm(seen.vectors, axis=1), 1, atol=1e-6)
    some = frames[1:4]
    buffer = [io.BytesIO() for _ in some]
    for file, frame in zip(buffer, some, strict=True):
        Image.fromarray(frame).save(file, "JPEG", quality=70)
    jpeg = np.stack([np.asarray(Image.open(f)) for f in buffer])
    bright = np.clip(some.astype(np.int16) + 18, 0, 255).astype(np.uint8)
    others = (seen.vectors @ seen.vectors.T)[~np.eye(6, dtype=bool)].max()
    for changed in (jpeg, bright):
        again = see(changed)
        assert again.found.all()
        own = (again.vectors * seen.vectors[1:4]).sum(1)
        assert own.min() > others
    np.testing.assert_array_equal(see(frames[4:5]).vectors[0], seen.vectors[4])


def test_without_a_face_nothing_is_found_and_the_row_stays(frames: np.ndarray) -> None:
    blank = np.full_like(frames[:1], 127)
    seen = find("dlib-resnet").open("cpu")(np.concatenate([blank, frames[:1]]))
    assert seen.found.tolist() == [False, True]
    assert not seen.vectors[0].any()
    assert seen.vectors.shape == (2, 128)
    assert find("dlib-resnet").open("cpu")(np.zeros((1, 1, 1, 3), np.uint8)).found.tolist() == [False]


def test_it_is_a_target_only(weights: Path) -> None:
    found = find("dlib-resnet")
    assert not found.differentiable
    with pytest.raises(NoGradients, match="can be a target, not a surrogate"):
        found.gradient("cpu")
    (weights / "chips.recogniser.yaml").write_text("recogniser: dlib-resnet\nalign: frame\n")
    assert find("chips").identity() != found.identity()
    assert find("chips").open("cpu")(np.full((1, 40, 40, 3), 99, np.uint8)).found.all()  # taken as the chip


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("harness.models.faces.detection.find_spec", lambda _: None)
    with pytest.raises(MissingWeights, match="face_recognition_models"):
        find("dlib-resnet").open("cpu")


def test_crops_follow_the_face_when_the_picture_is_turned_and_shrunk(group: np.ndarray) -> None:
    import torch

    part = np.ascontiguousarray(group[150:550, 380:640])
    turned = np.asarray(Image.fromarray(part).rotate(12, Image.Resampling.BICUBIC).resize((234, 360)))
    align = aligner(detector("dlib"), 112)
    crops = []
    for picture in (part, turned):
        made, found = align(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255)
        assert found.all()
        crops.append(made[0].numpy())
    inner = [c[:, 30:100, 25:87] for c in crops]
    assert np.corrcoef(inner[0].ravel(), inner[1].ravel())[0, 1] > 0.95
    plain = np.asarray(Image.fromarray(part).resize((112, 112))).transpose(2, 0, 1)[:, 30:100, 25:87]
    assert np.corrcoef(inner[0].ravel(), plain.ravel())[0, 1] < 0.8


def test_the_crop_is_that_of_insightface(group: np.ndarray, people: list[Face]) -> None:
    import torch
    from insightface.utils.face_align import norm_crop

    for face in people[:3]:
        theirs = norm_crop(group, face.points.astype(np.float32))
        align = aligner(lambda _, face=face: [face], 112)  # type: ignore[misc]
        ours = align(torch.from_numpy(group.copy()).permute(2, 0, 1)[None].float() / 255)[0][0]
        apart = np.abs(ours.permute(1, 2, 0).numpy() * 255 - theirs.astype(np.float64))
        assert apart.mean() < 0.6  # OpenCV samples in steps of 1/32 px and rounds to bytes
        assert np.percentile(apart, 99) < 6
