"""ONNX recognisers: one preprocessing for sight and gradients, insightface's vectors, identities that tell all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_recognisers import convolutions, save_onnx, save_shipped, transformer

from harness.models.faces import NoGradients, find, names
from harness.models.faces.recogniser import Lineage
from harness.models.model import MissingWeights
from harness.models.zoo.card import WeightsChanged
from harness.registry import UnknownName


def declare(weights: Path, name: str, text: str) -> None:
    (weights / f"{name}.recogniser.yaml").write_text(f"recogniser: onnx-file\n{text}\n")


def tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize("network", [convolutions, transformer])
def test_sight_and_gradient_are_the_same_function_of_the_same_bytes(
    network: object, weights: Path, pictures: np.ndarray
) -> None:
    save_onnx(network(), weights / "net.onnx")  # type: ignore[operator]
    declare(weights, "mine", "file: net.onnx\nflip: true\norder: bgr\nmean: [120, 110, 100]\nstd: [60.5]")
    seen = find("mine").open("cpu")(pictures)  # 64 → 112: resizing by another rule would differ by 1e-2
    ours = find("mine").gradient("cpu")(tensor(pictures)).detach().numpy()
    assert seen.found.all()
    assert seen.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(seen.vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(seen.vectors, ours, atol=1e-4)  # float32 sums in another order


def test_the_gradient_is_that_of_finite_differences(weights: Path, pictures: np.ndarray) -> None:
    save_onnx(convolutions(), weights / "net.onnx")
    declare(weights, "mine", "file: net.onnx")
    vectors = find("mine").gradient("cpu")
    start = tensor(pictures[:2])
    aim = vectors(tensor(pictures[2:4])).detach()
    at = start.clone().requires_grad_()
    (vectors(at) * aim).sum().backward()
    step = torch.sign(at.grad) * 1e-2
    before, after = ((vectors(start + s) * aim).sum().item() for s in (-step, step))
    assert after - before == pytest.approx(2 * (at.grad * step).sum().item(), rel=0.1)  # curvature over 2.5 levels
    assert after > before


def test_a_vector_does_not_feel_its_neighbours(weights: Path, pictures: np.ndarray) -> None:
    save_onnx(convolutions(), weights / "net.onnx")
    declare(weights, "mine", "file: net.onnx")
    see = find("mine").open("cpu")
    together = see(pictures).vectors
    np.testing.assert_array_equal(together[3], see(pictures[3:4]).vectors[0])
    np.testing.assert_array_equal(together[::-1], see(pictures[::-1].copy()).vectors)
    assert see(pictures[:0]).vectors.shape == (0, 32)


def test_another_preprocessing_or_file_is_another_recogniser(weights: Path) -> None:  # T21
    save_onnx(convolutions(), weights / "net.onnx")
    save_onnx(convolutions(1), weights / "other.onnx")
    changes = ["", "order: bgr", "mean: [128]", "std: [128]", "flip: true", "align: none", "side: 128"]
    ids = []
    for i, text in enumerate(changes):
        declare(weights, f"r{i}", f"file: net.onnx\n{text}")
        ids.append(find(f"r{i}").identity())
    declare(weights, "other", "file: other.onnx")
    ids.append(find("other").identity())
    assert len(set(ids)) == len(ids)
    declare(weights, "again", "file: net.onnx\nlicence: MIT\nreleased: '2020-01-01'\nlineage: {weights: x}")
    assert find("again").identity() == ids[0]  # who it is related to does not change what it sees
    assert find("again").lineage == Lineage("x")
    assert len(ids[0]) == 32


def test_red_and_blue_exchanged_is_seen(weights: Path, pictures: np.ndarray) -> None:
    save_onnx(convolutions(), weights / "net.onnx")
    declare(weights, "rgb", "file: net.onnx")
    declare(weights, "bgr", "file: net.onnx\norder: bgr")
    swapped = np.ascontiguousarray(pictures[..., ::-1])
    rgb, bgr = find("rgb").open("cpu"), find("bgr").open("cpu")
    np.testing.assert_array_equal(rgb(pictures).vectors, bgr(swapped).vectors)
    assert np.abs(rgb(pictures).vectors - bgr(pictures).vectors).max() > 1e-3


def test_shipped_files_are_recognisers_of_insightface_too(
    tmp_path: Path, pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from insightface.model_zoo import get_model

    path = save_shipped(tmp_path, "avatars-cnn", convolutions(), training="avatars C")
    monkeypatch.setattr("harness.models.zoo.ROOT", tmp_path)
    found = find("avatars-cnn")
    assert (found.name, found.lineage.training, found.released) == ("avatars-cnn", "avatars C", "2026-01-01")
    assert found.missing() == ()
    whole = np.kron(pictures, np.ones((1, 2, 2, 1), np.uint8))[:, :112, :112]
    theirs = get_model(str(path), providers=["CPUExecutionProvider"])
    assert (theirs.taskname, theirs.input_mean, theirs.input_std) == ("recognition", 127.5, 127.5)
    rows = theirs.get_feat([np.ascontiguousarray(p[..., ::-1]) for p in whole])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(found.open("cpu")(np.ascontiguousarray(whole)).vectors, rows, atol=1e-5)


def test_a_shipped_file_that_changed_or_is_absent_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.models.zoo.ROOT", tmp_path)
    found = find("avatars-vit")
    assert "harness zoo train avatars-vit" in str(found.missing()[0])
    with pytest.raises(MissingWeights, match="avatars-vit"):
        found.open("cpu")
    path = save_shipped(tmp_path, "avatars-vit", convolutions())
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(WeightsChanged):
        find("avatars-vit").open("cpu")


@pytest.mark.parametrize("network", [convolutions, transformer])
def test_newer_operator_sets_and_shared_weights_have_gradients_too(
    network: object, weights: Path, pictures: np.ndarray
) -> None:
    net = network()  # type: ignore[operator]
    for module in net.modules():  # equal weights are written once, and copied: in trained networks seldom, in ours all
        if isinstance(module, torch.nn.Conv2d | torch.nn.LayerNorm):
            module.bias.data.fill_(0.125)
    save_onnx(net, weights / "new.onnx", opset=20)
    declare(weights, "new", "file: new.onnx")
    seen = find("new").open("cpu")(pictures).vectors
    np.testing.assert_allclose(find("new").gradient("cpu")(tensor(pictures)).numpy(), seen, atol=1e-4)


def test_what_cannot_be_converted_has_no_gradients_but_is_seen(weights: Path) -> None:
    import onnx

    save_onnx(transformer(), weights / "gelu.onnx", opset=20)
    model = onnx.load(weights / "gelu.onnx")
    for node in model.graph.node:
        if node.op_type == "Gelu":
            node.attribute[0].CopyFrom(onnx.helper.make_attribute("approximate", "tanh"))
    onnx.save(model, weights / "gelu.onnx")
    declare(weights, "gelu", "file: gelu.onnx")
    with pytest.raises(NoGradients, match=r"'gelu' has no gradients .*export it with opset 17"):
        find("gelu").gradient("cpu")
    assert find("gelu").open("cpu")(np.full((1, 8, 8, 3), 40, np.uint8)).found.all()


def test_names_are_shipped_ones_and_declared_ones(weights: Path) -> None:
    declare(weights, "mine", "file: net.onnx")
    assert "avatars-resnet-a" in names()
    assert "mine" in names()
    assert "onnx-file" not in names()  # an adapter: it needs a file
    with pytest.raises(UnknownName, match="did you mean 'avatars-mobilenet'"):
        find("avatars-mobile")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file: net.onnx\nordr: rgb", "did you mean 'order'"),
        ("file: net.onnx\norder: grb", "rgb"),
        ("file: net.onnx\nmean: [1, 2]", "one number or three"),
        ("file: net.onnx\nstd: [0]", "above 0"),
        ("file: net.onnx\nlineage: {weight: x}", "weight"),
        ("side: 112", "missing parameter 'file'"),
    ],
)
def test_a_wrong_declaration_names_its_file_and_the_mistake(weights: Path, text: str, message: str) -> None:
    declare(weights, "mine", text)
    with pytest.raises(ValueError, match=message) as error:
        find("mine")
    assert "mine.recogniser.yaml" in str(error.value)


def test_a_missing_file_says_what_where_and_what_instead(weights: Path) -> None:
    declare(weights, "mine", "file: net.onnx")
    (one,) = find("mine").missing()
    assert str(weights / "net.onnx") in str(one)
    assert "avatars-resnet-a" in one.instead
    with pytest.raises(MissingWeights):
        find("mine").open("cpu")


def test_a_vector_without_direction_is_an_error(weights: Path) -> None:
    net = convolutions()
    net[-1].weight.data.zero_()
    net[-1].bias.data.zero_()
    save_onnx(net, weights / "net.onnx")
    declare(weights, "mine", "file: net.onnx")
    with pytest.raises(ValueError, match="no direction"):
        find("mine").open("cpu")(np.zeros((1, 112, 112, 3), np.uint8))
