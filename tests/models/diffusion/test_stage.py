"""Pilot draws under calibration keys and encoded image sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness import keys
from harness.methods.method import Group
from harness.models.diffusion import stage
from harness.models.diffusion.loop import sample
from harness.models.diffusion.stage import LoopStage, Untouched


def _images(count: int = 5, side: int = 4) -> Any:
    return keys.generator(0, "world", "images").integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def _stage(model: Any, **changes: Any) -> LoopStage:
    arguments: dict[str, Any] = {"load_images": lambda _: _images(), "micro_batch": 2, **changes}
    return LoopStage(model, ("a hat", "of"), **arguments)


def test_base_latents_are_the_untouched_sampler_under_calibration_keys(toy: Any) -> None:
    latents = _stage(toy()).base_latents(3)
    assert latents.shape == (2, 3, 32)
    groups = [Group(0, p, t, 0, (0, 1, 2)) for p, t in enumerate(("a hat", "of"))]
    pilot = sample(toy(), Untouched(), groups, seed=0, purpose="calibration")
    assert np.array_equal(latents.reshape(6, -1).numpy(), pilot.latents)
    scored = sample(toy(), Untouched(), groups, seed=0)
    assert not np.array_equal(pilot.latents, scored.latents)  # pilots are never the scored samples


def test_encoded_images_are_the_scaled_mean_of_the_autoencoder(tiny_pipeline: Callable[..., Any]) -> None:
    from harness.models.diffusion.adapter import Diffusion

    images = _images(3, 16)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    for kind in ("sd", "sd3"):
        model = Diffusion(tiny_pipeline(kind), steps=2, guidance=1.0)
        with torch.no_grad():
            mean = model.pipe.vae.encode(pixels * 2 - 1).latent_dist.mean
        config = model.pipe.vae.config
        expected = (mean - (config.shift_factor or 0.0)) * config.scaling_factor
        found = LoopStage(model, ("hat",), lambda _: images, micro_batch=3).encode("protected")
        assert torch.allclose(found, expected.flatten(1), atol=1e-5)
        cut = LoopStage(model, ("hat",), lambda _: images, micro_batch=2).encode("protected")
        assert torch.allclose(found, cut, atol=1e-4)


def test_decoding_undoes_the_scaling_of_encoding(tiny_pipeline: Callable[..., Any]) -> None:
    """The affine parts cancel: what the decoder gets is what the encoder gave."""
    from harness.models.diffusion.adapter import Diffusion

    for kind in ("sd", "sdxl", "sd3"):
        model = Diffusion(tiny_pipeline(kind), steps=2, guidance=1.0)
        z = keys.normal((2, 4, 8, 8), 0, "world")
        assert torch.allclose(model.family.unscaled(model.family.scaled(z)), z, atol=1e-5)
        assert not torch.allclose(model.family.unscaled(z), z)


def test_the_cache_answers_the_second_time_and_knows_what_it_depends_on(toy: Any) -> None:
    store: dict[str, Any] = {}
    made: list[str] = []

    def cache(key: str, make: Callable[[], Any]) -> Any:
        if key not in store:
            made.append(key)
            store[key] = make()
        return store[key]

    model = toy()
    model.fingerprint = "a model"
    first, second = _stage(model, cache=cache), _stage(model, cache=cache)
    assert torch.equal(first.base_latents(2), second.base_latents(2))
    assert torch.equal(first.encode("protected"), second.encode("protected"))
    assert len(made) == 2
    # what the pilot cost is charged to whoever uses it, also where the cache answered
    assert first.calls == second.calls == {"calibration": 2 * 2 * 2 * model.steps}
    _stage(model, cache=cache, seed=1).base_latents(2)
    _stage(model, cache=cache, guidance=1.0).base_latents(2)
    _stage(model, cache=cache, load_images=lambda _: _images(4)).encode("protected")
    assert len(made) == 5


def test_a_named_set_whose_latents_are_known_is_not_loaded_again(toy: Any) -> None:
    loads: list[str] = []
    kept: dict[str, Any] = {}

    def load(name: str) -> Any:
        loads.append(name)
        return _images(4)

    def cache(key: str, make: Callable[[], Any]) -> Any:
        if key not in kept:
            kept[key] = make()
        return kept[key]

    model = toy()
    model.fingerprint = "f"
    first = _stage(model, cache=cache, load_images=load, facts=lambda _: ("a" * 32, 4)).encode("protected")
    again = _stage(model, cache=cache, load_images=load, facts=lambda _: ("a" * 32, 4)).encode("protected")
    assert torch.equal(first, again)
    assert loads == ["protected"]
    _stage(model, cache=cache, load_images=load, facts=lambda _: ("b" * 32, 4)).encode("protected")
    assert len(loads) == 2  # other content under the name
    with pytest.raises(ValueError, match="holds 4 images where it says 5"):
        _stage(model, load_images=load, facts=lambda _: ("c" * 32, 5)).encode("protected")


def test_images_of_the_wrong_form_or_size_are_refused(toy: Any) -> None:
    with pytest.raises(ValueError, match="must be \\(K, H, W, 3\\) uint8, found float64"):
        _stage(toy(), load_images=lambda _: np.zeros((2, 4, 4, 3))).encode("protected")
    with pytest.raises(ValueError, match="give latents \\(2, 8, 8\\), the model's are \\(2, 4, 4\\)"):
        _stage(toy(), load_images=lambda _: _images(2, 8)).encode("protected")


def test_prompt_features_are_unit_vectors_that_know_no_other_prompt(toy: Any, tiny_model: Any) -> None:
    for model in (toy(), tiny_model("sd"), tiny_model("sdxl")):
        both, one = (LoopStage(model, p, lambda _: _images()).prompt_features() for p in (("a hat", "of"), ("of",)))
        assert torch.allclose(both.norm(dim=1), torch.ones(2))
        assert torch.equal(both[1:], one)
        assert float(both[0] @ both[1]) < 0.99
    y = LoopStage(toy(), ("a hat",), lambda _: _images()).prompt_features()
    pooled = toy().conditions("a hat")[0].pooled
    assert torch.allclose(y, pooled / pooled.norm())


def test_the_empty_prompt_has_the_zero_vector(tiny_model: Any) -> None:
    features = LoopStage(tiny_model("sd"), ("", "a hat"), lambda _: _images()).prompt_features()
    assert torch.equal(features[0], torch.zeros_like(features[0]))
    assert float(features[1].norm()) == pytest.approx(1.0)


def test_a_large_set_is_written_once_and_mapped(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = toy()
    model.fingerprint = "a model"
    held = _stage(model).encode("protected")
    folder = lambda key: tmp_path / key  # noqa: E731
    assert torch.equal(_stage(model, folder=folder).references("protected").rows, held)
    assert not list(tmp_path.iterdir())  # a small one is held in memory
    monkeypatch.setattr(stage, "MAPPED_ABOVE", 0)
    first = _stage(model, folder=folder).references("protected")
    encoded = model.encode
    monkeypatch.setattr(model, "encode", lambda images: pytest.fail("encoded twice"))
    second = _stage(model, folder=folder).references("protected")
    for found in (first, second):
        assert torch.equal(found.rows, held)
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(model, "encode", encoded)
    model.fingerprint = ""  # nobody knows what it is: nothing is kept
    assert torch.equal(_stage(model, folder=folder).references("protected").rows, held)
    assert len(list(tmp_path.iterdir())) == 1
