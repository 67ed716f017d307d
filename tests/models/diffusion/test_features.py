"""Features of clean latents: values, gradients, counting, names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from harness import keys
from harness.methods.method import Group, Sampling
from harness.models.diffusion.loop import sample
from harness.models.diffusion.stage import LoopStage
from harness.models.extractors import declarations
from harness.models.extractors.resize import Resize
from harness.models.feature_spaces import FEATURE_SPACES, FeatureSpace, feature_space, resized
from harness.models.model import MissingWeights
from harness.registry import UnknownName


def _linear(device: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Five fixed projections of a 4×4 picture."""
    weight = keys.normal((48, 5), 0, "world", "projection").to(device)
    return lambda images: images.flatten(1) @ weight


SPACES = {"linear": lambda: FeatureSpace("linear", "a hash", _linear)}


def _stage(model: Any, **changes: Any) -> LoopStage:
    return LoopStage(model, ("a hat",), lambda _: None, spaces=SPACES, **changes)  # type: ignore[arg-type, return-value]


def _latents(count: int, *shape: int) -> torch.Tensor:
    return torch.stack([keys.normal(shape or (2, 4, 4), 0, "world", i) for i in range(count)])


def test_features_are_those_of_the_decoded_picture(toy: Any) -> None:
    model, z = toy(), _latents(5)
    expected = _linear("cpu")(model.decode(z))
    for micro_batch in (1, 2, 16):
        found = _stage(model, micro_batch=micro_batch).features("linear")(z)
        assert found.dtype == torch.float32
        assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("micro_batch", [2, 16])
def test_gradients_are_those_of_finite_differences(toy: Any, micro_batch: int) -> None:
    """Central differences in float64 of v · f(z), with the step 1e-4: equal to 1e-6 of the largest."""
    model, z, v = toy(), _latents(5), _latents(5, 5)
    features = _stage(model, micro_batch=micro_batch).features("linear")
    with torch.enable_grad():
        x = z.clone().requires_grad_()
        (direct,) = torch.autograd.grad((features(x) * v).sum(), x)
    pulled = features.pull_back(z, lambda _: v)
    weight = keys.normal((48, 5), 0, "world", "projection").double()

    def loss(at: torch.Tensor) -> torch.Tensor:
        return (torch.sigmoid(torch.cat([at, at[:, :1]], 1)).flatten(1) @ weight * v.double()).sum()

    for i in [(0, 0, 0, 0), (3, 1, 2, 1), (4, 0, 3, 3)]:
        bump = torch.zeros_like(z, dtype=torch.float64)
        bump[i] = 1e-4
        difference = (loss(z.double() + bump) - loss(z.double() - bump)) / 2e-4
        assert float(direct[i]) == pytest.approx(float(difference), abs=1e-5)
    assert torch.allclose(pulled, direct, atol=1e-6)
    assert not pulled.requires_grad


def test_the_force_is_computed_from_all_features_and_held_constant(toy: Any) -> None:
    """v = f - mean f: its own derivative does not enter, and micro-batches of 2 see the mean of all 5."""
    z = _latents(5)
    whole, cut = (
        _stage(toy(), micro_batch=m).features("linear").pull_back(z, lambda f: f - f.mean(0)) for m in (16, 2)
    )
    assert torch.allclose(whole, cut, atol=1e-5)
    features = _stage(toy()).features("linear")
    v = features(z) - features(z).mean(0)
    assert torch.allclose(whole, features.pull_back(z, lambda _: v), atol=1e-6)


def test_the_force_still_sees_all_items_when_memory_runs_out(toy: Any) -> None:
    z, failures = _latents(9), [MemoryError("out of memory")]

    def short(images: torch.Tensor) -> torch.Tensor:
        if len(images) > 8 and failures:
            raise failures.pop()
        return _linear("cpu")(images)

    spaces = {"linear": lambda: FeatureSpace("linear", "", lambda _: short)}
    stage = LoopStage(toy(), ("hat",), lambda _: None, spaces=spaces)  # type: ignore[arg-type, return-value]
    found = stage.features("linear").pull_back(z, lambda f: f - f.mean(0))
    assert not failures
    expected = _stage(toy()).features("linear").pull_back(z, lambda f: f - f.mean(0))
    assert torch.allclose(found, expected, atol=1e-5)


def test_gradients_pass_a_real_autoencoder_and_a_shipped_network(tiny_model: Any) -> None:
    model = tiny_model()  # 16×16 pictures
    spaces = {"linear": lambda: FeatureSpace("linear", "", lambda _: lambda x: x.flatten(1)[:, ::50])}
    features = LoopStage(model, ("hat",), lambda _: None, spaces=spaces).features("linear")  # type: ignore[arg-type, return-value]
    pulled = features.pull_back(_latents(2, 4, 8, 8), torch.ones_like)
    assert pulled.shape == (2, 4, 8, 8)
    assert float(pulled.abs().max()) > 0
    network = feature_space("digits").open("cpu")
    pictures = torch.sigmoid(_latents(2, 3, 32, 32)).requires_grad_()
    (gradient,) = torch.autograd.grad(network(pictures).sum(), pictures)
    assert float(gradient.abs().min(0).values.max()) > 0


@dataclass(frozen=True)
class Looks(Sampling):
    """Asks for features once a step."""

    network: Any = field(default=None, repr=False, compare=False)

    def clean_sample(self, x0: Any, step: Any, group: Any) -> Any:
        self.network(x0)
        return x0


def test_calls_are_counted_in_the_run_that_made_them(toy: Any) -> None:
    model = toy()
    stage = _stage(model)
    features = stage.features("linear")
    features(_latents(3))
    assert stage.calls == {"decoder": 3, "extractor": 3}  # of prepare: charged by the task
    for size in (2, 4):
        group = Group(7, 0, "hat", 0, tuple(range(size)))
        samples = sample(model, Looks(features), [group], seed=7)
        assert samples.calls["extractor"] == size * model.steps
        assert samples.calls["decoder"] == size * (model.steps + 1)  # and the pictures themselves
        assert "gradient" not in samples.calls
    features.pull_back(_latents(3), torch.ones_like)
    assert stage.calls["gradient"] == 3
    plain = sample(model, Looks(lambda _: None), [Group(7, 0, "hat", 0, (0, 1, 2, 3))], seed=7)
    assert np.array_equal(plain.latents, samples.latents)


def test_names_are_those_of_the_shipped_networks() -> None:
    assert feature_space("avatars-features").name == "avatars"
    assert feature_space("digits").digest != feature_space("avatars").digest
    assert set(FEATURE_SPACES) >= {"avatars", "digits"}
    with pytest.raises(UnknownName, match="unknown feature space 'avatar'; did you mean 'avatars'"):
        feature_space("avatar")


@pytest.mark.parametrize(
    ("rule", "tolerance"),
    [
        (Resize("pil-bicubic-f32-aa", 24), 0.01),  # metrics.md 1.2: torch differs by up to .007 of a level
        (Resize("pil-bicubic-u8-aa", 24, edge="shortest", crop=True), 3.0),  # bytes: rounded and clipped between passes
        (Resize("pil-bilinear-u8-aa", 24, edge="shortest"), 1.5),
        (Resize("torch-bilinear-f32", 24), 1e-3),
        (Resize("none"), 0.0),
    ],
    ids=str,
)
def test_the_differentiable_resize_is_the_declared_one_but_for_rounding(rule: Resize, tolerance: float) -> None:
    pictures = keys.generator(0, "world", "pictures").integers(0, 256, (2, 40, 60, 3), dtype=np.uint8)
    expected = torch.from_numpy(rule(pictures)).permute(0, 3, 1, 2)
    found = resized(torch.from_numpy(pictures).permute(0, 3, 1, 2).float(), rule)
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= tolerance  # white noise is the worst case
    assert float((found - expected).abs().mean()) <= 0.5


def test_every_declared_network_is_a_space_and_says_what_it_misses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name, declared in declarations().items():
        assert feature_space(name).digest != declared.digest
    with pytest.raises(MissingWeights):
        feature_space("sscd-disc-mixup").open("cpu")


def test_gradients_pass_a_declared_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    class Mean(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3))

    torch.jit.script(Mean()).save(str(tmp_path / "mean.pt"))
    (tmp_path / "mean.embedding.yaml").write_text("file: mean.pt\ndimension: 3\nsize: 8\ninput: unit\n")
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    network = feature_space("mean").open("cpu")
    pictures = torch.sigmoid(_latents(2, 3, 32, 32)).requires_grad_()
    found = network(pictures)
    assert torch.allclose(found, pictures.mean((2, 3)), atol=0.02)
    (gradient,) = torch.autograd.grad(found.sum(), pictures)
    assert torch.allclose(gradient.sum((1, 2, 3)), torch.full((2,), 3.0), atol=0.05)
