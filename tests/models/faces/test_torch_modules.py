"""Recognisers that are torch modules: TorchScript files, facenet-pytorch's class, CLIP image towers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_recognisers import convolutions

from harness.models.faces import find
from harness.models.faces.recogniser import Recogniser
from harness.models.model import MissingWeights


def alike(found: Recogniser, pictures: np.ndarray) -> np.ndarray:
    """Vectors, after checking that sight and gradient agree and that neighbours are not felt."""
    seen = found.open("cpu")(pictures)
    pixels = (torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2).float() / 255).requires_grad_()
    rows = found.gradient("cpu")(pixels)
    np.testing.assert_allclose(rows.detach().numpy(), seen.vectors, atol=1e-5)
    rows[:, 0].sum().backward()
    assert pixels.grad is not None
    assert (pixels.grad.flatten(1).abs().sum(1) > 0).all()
    np.testing.assert_array_equal(found.open("cpu")(pictures[2:3]).vectors[0], seen.vectors[2])
    return seen.vectors


def test_a_torchscript_file_is_its_module(weights: Path, pictures: np.ndarray) -> None:
    net = convolutions()
    torch.jit.trace(net, torch.zeros(1, 3, 64, 64)).save(str(weights / "net.pt"))
    text = "recogniser: torchscript-file\nfile: net.pt\nside: 64\norder: bgr\nmean: [0]\nstd: [255]\n"
    (weights / "mine.recogniser.yaml").write_text(text)
    levels = torch.from_numpy(np.ascontiguousarray(pictures[..., ::-1])).permute(0, 3, 1, 2).float() / 255
    expected = torch.nn.functional.normalize(net(levels)).detach().numpy()
    np.testing.assert_allclose(alike(find("mine"), pictures), expected, atol=1e-5)


def test_facenet_is_the_package_s_class_with_a_local_state_dict(
    tmp_path: Path, weights: Path, pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real package pins an old torch: a stand-in with its signature and its file's layout takes its place."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (one, *rest) = find("facenet-casia").missing()
    assert "pip install facenet_pytorch" in str(one)
    assert "facenet-pytorch/releases" in str(rest[0])
    with pytest.raises(MissingWeights):
        find("facenet-casia").open("cpu")
    code = (
        "import torch\n"
        "class InceptionResnetV1(torch.nn.Module):\n"
        "    def __init__(self, pretrained=None, classify=False):\n"
        "        super().__init__()\n"
        "        self.stem = torch.nn.Conv2d(3, 12, 8, 8)\n"
        "    def forward(self, x):\n"
        "        return self.stem(x).flatten(2).mean(2)\n"
    )
    (tmp_path / "facenet_pytorch").mkdir()
    (tmp_path / "facenet_pytorch" / "__init__.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    weight = torch.linspace(-1, 1, 12 * 3 * 64).reshape(12, 3, 8, 8).sin()
    state = {"stem.weight": weight, "stem.bias": torch.zeros(12), "logits.weight": torch.zeros(5, 12)}
    torch.save(state, weights / "20180408-102900-casia-webface.pt")
    text = "recogniser: facenet-casia\nalign: frame\n"
    (weights / "net.recogniser.yaml").write_text(text)
    found = find("net")
    assert found.missing() == ()
    large = np.kron(pictures, np.ones((1, 3, 3, 1), np.uint8))[:, :160, :160]
    x = (torch.from_numpy(np.ascontiguousarray(large)).permute(0, 3, 1, 2).float() - 127.5) / 128
    expected = torch.nn.functional.normalize(torch.nn.functional.conv2d(x, weight, stride=8).flatten(2).mean(2))
    np.testing.assert_allclose(alike(found, np.ascontiguousarray(large)), expected.numpy(), atol=1e-5)
    assert found.lineage.shared(find("facenet-vggface2").lineage) == ("architecture",)  # the grey pair


def test_clip_image_towers_are_recognisers(weights: Path, pictures: np.ndarray) -> None:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=56,
        patch_size=14,
        projection_dim=20,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = CLIPVisionModelWithProjection(config).eval()
    model.save_pretrained(weights / "tower")
    (weights / "future.recogniser.yaml").write_text("recogniser: clip-tower\ncheckpoint: tower\n")
    found = find("future")
    assert found.missing() == ()
    assert found.read().side == 56  # type: ignore[attr-defined]
    vectors = alike(found, pictures)
    assert vectors.shape == (5, 20)
    square = np.ascontiguousarray(pictures[:, :56, :56])
    mean, std = torch.tensor([0.48145466, 0.4578275, 0.40821073]), torch.tensor([0.26862954, 0.26130258, 0.27577711])
    x = (torch.from_numpy(square).float() / 255 - mean) / std
    with torch.no_grad():
        expected = torch.nn.functional.normalize(model(x.permute(0, 3, 1, 2)).image_embeds).numpy()
    np.testing.assert_allclose(found.open("cpu")(square).vectors, expected, atol=1e-5)
    (weights / "gone.recogniser.yaml").write_text("recogniser: clip-tower\ncheckpoint: nowhere/at-all\n")
    assert "hf download" in str(find("gone").missing()[0])
