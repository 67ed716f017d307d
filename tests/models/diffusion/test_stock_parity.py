"""With no active hook the loop is the stock pipeline, bit for bit, latents and images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tiny_pipelines import KINDS, build_pipeline

from harness import keys
from harness.data.images import to_uint8
from harness.methods import METHODS
from harness.methods.method import Group
from harness.models import MODELS
from harness.models.diffusion.adapter import Diffusion
from harness.models.diffusion.dit import class_number
from harness.models.diffusion.loop import sample
from harness.options import build

VP = ("own", "ddim", "pndm", "dpmpp_2m", "euler", "heun")
CASES = [("sd", s, "epsilon") for s in VP] + [("sd", s, "v_prediction") for s in VP if s != "pndm"]
CASES += [("sdxl", s, "epsilon") for s in ("own", "ddim", "dpmpp_2m")] + [("sd3", "own", "flow")]
PROMPT = "a portrait of baker"


def stock(pipe: Any, model: Diffusion, noise: torch.Tensor, guidance: float, steps: int, prompt: str = PROMPT) -> Any:
    """Latents and uint8 images of the stock pipeline with the model's scheduler."""
    before, pipe.scheduler = pipe.scheduler, model.fresh_scheduler()
    try:
        latents, images = STOCK[type(pipe).__name__](pipe, model, noise, guidance, steps, prompt)
    finally:
        pipe.scheduler = before
    return latents.flatten(1).numpy(), to_uint8(images)


def _stock_sd(
    pipe: Any, model: Diffusion, noise: torch.Tensor, guidance: float, steps: int, prompt: str, **more: Any
) -> Any:
    arguments = {
        "prompt": prompt,
        "num_images_per_prompt": len(noise),
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "height": model.size_px,
        "width": model.size_px,
        **more,
    }
    latents = pipe(latents=noise.clone(), output_type="latent", **arguments).images
    return latents, pipe(latents=noise.clone(), output_type="np", **arguments).images


def _stock_flux(pipe: Any, model: Diffusion, noise: torch.Tensor, guidance: float, steps: int, prompt: str) -> Any:
    """w is the guidance input, or the weight of two branches with an empty negative prompt (`true_cfg_scale`)."""
    more: dict[str, Any] = {}
    if not model.embeds_guidance:
        more = {"negative_prompt": "", "true_cfg_scale": guidance}
        guidance = 0.0 if model.network_guidance is None else model.network_guidance
    packed = pipe._pack_latents(noise.clone(), *noise.shape)
    latents, images = _stock_sd(pipe, model, packed, guidance, steps, prompt, **more)
    return pipe._unpack_latents(latents, model.size_px, model.size_px, pipe.vae_scale_factor), images


def _stock_dit(pipe: Any, model: Diffusion, noise: torch.Tensor, guidance: float, steps: int, prompt: str) -> Any:
    """It draws its noise inside and shows no latents: the draw is replaced, and what the decoder is given stands in."""
    from diffusers.pipelines.dit import pipeline_dit

    heard: list[Any] = []
    draw, decode = pipeline_dit.randn_tensor, pipe.vae.decode

    def listen(z: Any, *more: Any, **named: Any) -> Any:
        heard.append(z.clone())
        return decode(z, *more, **named)

    pipeline_dit.randn_tensor, pipe.vae.decode = lambda **_: noise.clone(), listen
    try:
        images = pipe(
            [class_number(prompt, pipe.labels, 1000)] * len(noise),
            guidance_scale=guidance,
            num_inference_steps=steps,
            output_type="np",
        ).images
    finally:
        pipeline_dit.randn_tensor = draw
        del pipe.vae.decode
    return heard[0], images


STOCK: dict[str, Callable[..., Any]] = {
    "StableDiffusionPipeline": _stock_sd,
    "StableDiffusionXLPipeline": _stock_sd,
    "StableDiffusion3Pipeline": _stock_sd,
    "FluxPipeline": _stock_flux,
    "DiTPipeline": _stock_dit,
}


def ours(model: Diffusion, guidance: float, count: int = 4, prompt: str = PROMPT) -> Any:
    group = Group(3, 0, prompt, 0, tuple(range(count)))
    return sample(model, build(METHODS.get("iid"), {}), [group], seed=3, guidance=guidance, micro_batch=count)


def base_noise(model: Diffusion, count: int = 4) -> torch.Tensor:
    return torch.stack([keys.normal(model.latent_shape, 3, "init_noise", 0, i) for i in range(count)])


@pytest.mark.parametrize(("kind", "scheduler", "prediction"), CASES)
@pytest.mark.parametrize("guidance", [3.0, 1.0])
def test_the_loop_equals_the_stock_pipeline_bit_for_bit(
    tiny_pipeline: Callable[..., Any], kind: str, scheduler: str, prediction: str, guidance: float
) -> None:
    pipe = tiny_pipeline(kind, prediction)
    model = Diffusion(pipe, steps=4, guidance=3.0, scheduler_name=scheduler)
    got = ours(model, guidance)
    latents, images = stock(pipe, model, base_noise(model), guidance, 4)
    assert np.array_equal(got.latents, latents)
    assert np.array_equal(got.images, images)
    assert latents.std() > 0.1
    assert images.std() > 1.0


@pytest.mark.parametrize("kind", ["flux-dev", "flux-schnell"])
@pytest.mark.parametrize("guidance", [3.5, 1.0])
def test_flux_equals_the_stock_pipeline_bit_for_bit(
    tiny_pipeline: Callable[..., Any], kind: str, guidance: float
) -> None:
    """Distilled guidance, or two branches where the checkpoint was not distilled for guidance."""
    pipe = tiny_pipeline(kind)
    model = Diffusion(pipe, steps=4, guidance=guidance, size_px=16)
    got = ours(model, guidance)
    latents, images = stock(pipe, model, base_noise(model), guidance, 4)
    assert np.array_equal(got.latents, latents)
    assert np.array_equal(got.images, images)
    assert latents.std() > 0.1
    assert got.calls["unconditional"] == (16 if kind == "flux-schnell" and guidance > 1 else 0)


def test_flux_with_two_branches_over_distilled_guidance_equals_true_cfg(tiny_pipeline: Callable[..., Any]) -> None:
    pipe = tiny_pipeline("flux-dev")
    model = Diffusion(pipe, steps=4, guidance=2.0, size_px=16, network_guidance=3.5)
    got = ours(model, 2.0)
    latents, images = stock(pipe, model, base_noise(model), 2.0, 4)
    assert np.array_equal(got.latents, latents)
    assert np.array_equal(got.images, images)
    assert not np.array_equal(latents, stock(pipe, model, base_noise(model), 1.0, 4)[0])


@pytest.mark.parametrize("kind", ["dit", "dit-untied"])
@pytest.mark.parametrize("scheduler", ["own", "dpmpp_2m"])
@pytest.mark.parametrize("guidance", [4.0, 1.0])
def test_dit_equals_the_stock_pipeline_bit_for_bit(
    tiny_pipeline: Callable[..., Any], kind: str, scheduler: str, guidance: float
) -> None:
    pipe = tiny_pipeline(kind)
    model = Diffusion(pipe, steps=4, guidance=4.0, scheduler_name=scheduler)
    got = ours(model, guidance, prompt="207")
    latents, images = stock(pipe, model, base_noise(model), guidance, 4, "golden retriever")
    assert np.array_equal(model.family.unscaled(torch.from_numpy(got.latents)).numpy(), latents)
    assert np.array_equal(got.images, images)
    assert images.std() > 1.0


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "dit-untied"])
def test_half_precision_equals_the_stock_pipeline_bit_for_bit(kind: str) -> None:
    """Where the stock pipeline lifts the autoencoder to float32 (SDXL), and where it does not (all others)."""
    pipe = build_pipeline.__wrapped__(kind).to(torch.float16)
    model = Diffusion(pipe, steps=2, guidance=3.0, size_px=16)
    prompt = "207" if kind.startswith("dit") else PROMPT
    got = ours(model, 3.0, prompt=prompt)
    _, images = stock(pipe, model, base_noise(model).half(), 3.0, 2, prompt)
    assert np.array_equal(got.images, images)
    assert images.std() > 1.0


def test_the_tiny_pipelines_feel_prompt_guidance_and_schedule(tiny_pipeline: Callable[..., Any]) -> None:
    """Otherwise the equalities above would prove nothing."""
    for kind in KINDS:
        model = Diffusion(tiny_pipeline(kind), steps=4, guidance=3.0, size_px=16)
        prompts = ("207", "208") if kind.startswith("dit") else (PROMPT, "hat")
        other = Group(3, 0, prompts[1], 0, tuple(range(4)))
        iid = build(METHODS.get("iid"), {})
        first = ours(model, 3.0, prompt=prompts[0]).latents
        assert not np.array_equal(first, sample(model, iid, [other], seed=3, micro_batch=4).latents)
        assert not np.array_equal(first, ours(model, 1.0, prompt=prompts[0]).latents)


def test_dynamic_shifting_of_a_flow_schedule_is_the_stock_one(tiny_pipeline: Callable[..., Any]) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler

    pipe = tiny_pipeline("sd3")
    before = pipe.scheduler
    pipe.scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    try:
        model = Diffusion(pipe, steps=4, guidance=3.0)
        assert np.array_equal(ours(model, 3.0).latents, stock(pipe, model, base_noise(model), 3.0, 4)[0])
    finally:
        pipe.scheduler = before


@pytest.mark.parametrize("scheduler", ["own", "dpmpp_2m", "euler"])
def test_the_loop_equals_the_stock_pipeline_on_the_shipped_model(scheduler: str) -> None:
    model = build(MODELS.get("avatars-sd"), {"scheduler": scheduler}).open("cpu")
    model.steps = 5
    model.pipe.set_progress_bar_config(disable=True)
    got = ours(model, 3.0, count=2)
    latents, images = stock(model.pipe, model, base_noise(model, 2), 3.0, 5)
    assert np.array_equal(got.latents, latents)
    assert np.array_equal(got.images, images)
