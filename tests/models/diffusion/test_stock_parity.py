"""With no active hook the loop is the stock pipeline, bit for bit, latents and images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from harness import keys
from harness.data.images import to_uint8
from harness.methods import METHODS
from harness.methods.method import Group
from harness.models import MODELS
from harness.models.diffusion.adapter import Diffusion
from harness.models.diffusion.loop import sample
from harness.options import build

VP = ("own", "ddim", "pndm", "dpmpp_2m", "euler", "heun")
CASES = [("sd", s, "epsilon") for s in VP] + [("sd", s, "v_prediction") for s in VP if s != "pndm"]
CASES += [("sdxl", s, "epsilon") for s in ("own", "ddim", "dpmpp_2m")] + [("sd3", "own", "flow")]
PROMPT = "a portrait of baker"


def stock(pipe: Any, model: Diffusion, noise: torch.Tensor, guidance: float, steps: int) -> tuple[Any, Any]:
    """Latents and uint8 images of the stock pipeline with the model's scheduler."""
    before, pipe.scheduler = pipe.scheduler, model.fresh_scheduler()
    arguments = {
        "prompt": PROMPT,
        "num_images_per_prompt": len(noise),
        "num_inference_steps": steps,
        "guidance_scale": guidance,
        "height": model.size_px,
        "width": model.size_px,
    }
    try:
        latents = pipe(latents=noise.clone(), output_type="latent", **arguments).images
        images = pipe(latents=noise.clone(), output_type="np", **arguments).images
    finally:
        pipe.scheduler = before
    return latents.flatten(1).numpy(), to_uint8(images)


def ours(model: Diffusion, guidance: float, count: int = 4) -> Any:
    group = Group(3, 0, PROMPT, 0, tuple(range(count)))
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


def test_the_tiny_pipelines_feel_prompt_guidance_and_schedule(tiny_pipeline: Callable[..., Any]) -> None:
    """Otherwise the equalities above would prove nothing."""
    for kind in ("sd", "sdxl", "sd3"):
        model = Diffusion(tiny_pipeline(kind), steps=4, guidance=3.0)
        other = Group(3, 0, "hat", 0, tuple(range(4)))
        iid = build(METHODS.get("iid"), {})
        first = ours(model, 3.0).latents
        assert not np.array_equal(first, sample(model, iid, [other], seed=3, micro_batch=4).latents)
        assert not np.array_equal(first, ours(model, 1.0).latents)


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
