"""Tiny random pipelines of the classes of Stable Diffusion, and an analytic denoiser with a known answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# No deadline: a busy machine is not a failing test. Derandomized: the same examples for everyone.
settings.register_profile("harness", deadline=None, derandomize=True)
settings.load_profile("harness")


def save_inception(folder: Path, *, seed: int = 0) -> Path:
    """A stand-in for inception-2015-12-05.pt: a small TorchScript network with the very signature, random weights.

    `layers` maps (N, 3, 299, 299) to 2048 numbers; called whole with return_features it resizes inside.
    """
    import torch
    from torch import nn

    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filters = nn.Conv2d(3, 32, 9, stride=9)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.adaptive_avg_pool2d(torch.relu(self.filters(x)), [8, 8]).flatten(1)

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = Layers()

        def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
            size = [299, 299]
            inside = torch.nn.functional.interpolate(x, size, mode="bilinear", align_corners=False)
            return self.layers((inside - 128) / 128)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Whole().eval()
    folder.mkdir(parents=True, exist_ok=True)
    torch.jit.script(network).save(str(folder / "inception-2015-12-05.pt"))
    return folder / "inception-2015-12-05.pt"


@pytest.fixture
def inception_standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder that holds the stand-in, with its hash in place of the published one."""
    from dataclasses import replace

    from harness.models import extractors
    from harness.models.extractors import inception
    from harness.models.weights import sha256

    folder = tmp_path / "weights"
    file = replace(inception.TORCHSCRIPT, sha256=sha256(save_inception(folder)))
    for name, declared in extractors.PUBLISHED.items():
        if declared.weights == inception.TORCHSCRIPT:
            monkeypatch.setitem(extractors.PUBLISHED, name, replace(declared, weights=file))
    monkeypatch.setenv("HARNESS_WEIGHTS", str(folder))
    return folder


WORDS = ["a", "portrait", "of", "baker", "drawing", "hat"]


def _tokenizer(length: int = 12) -> Any:
    from transformers import CLIPTokenizer

    letters = "abcdefghijklmnopqrstuvwxyz,."
    vocab = {"<|startoftext|>": 0, "<|endoftext|>": 1}
    for token in [*letters, *(c + "</w>" for c in letters)]:
        vocab[token] = len(vocab)
    merges: list[tuple[str, str]] = []
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges)
    tokenizer.model_max_length = length
    return tokenizer


def _text_encoder(projection: bool, width: int = 16) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=64,
        hidden_size=width,
        intermediate_size=32,
        projection_dim=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=12,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


def _vae(channels: int = 4, **changes: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        block_out_channels=[8, 8],
        norm_num_groups=4,
        latent_channels=channels,
        sample_size=16,
        **changes,
    ).eval()


def _unet(**changes: Any) -> Any:
    from diffusers import UNet2DConditionModel

    arguments: dict[str, Any] = {
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 16,
        "attention_head_dim": 4,
    }
    return UNet2DConditionModel(**{**arguments, **changes}).eval()


def _weights(pipe: Any) -> Any:
    """Keyed weights (fan-in scaled), so that no test depends on torch's global generator."""
    import torch

    from harness import keys

    for name, part in sorted(pipe.components.items()):
        if not isinstance(part, torch.nn.Module):
            continue
        for key, value in part.named_parameters():
            fan = max(1, math.prod(value.shape[1:])) if value.ndim > 1 else 25
            drawn = keys.normal(tuple(value.shape), 0, "world", name, key) / math.sqrt(fan)
            value.data.copy_(
                drawn + (1.0 if key.endswith("norm.weight") or (".norm" in key and value.ndim == 1) else 0)
            )
            value.requires_grad_(False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@lru_cache
def build_pipeline(kind: str, prediction: str = "epsilon") -> Any:
    """A tiny random pipeline: sd, sdxl or sd3. One a session; schedulers are replaced, never changed."""
    import diffusers

    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    ddim = diffusers.DDIMScheduler(
        clip_sample=False, set_alpha_to_one=False, prediction_type=prediction, timestep_spacing="leading", **schedule
    )
    if kind == "sd":
        pipe = diffusers.StableDiffusionPipeline(
            vae=_vae(),
            text_encoder=_text_encoder(False),
            tokenizer=_tokenizer(),
            unet=_unet(),
            scheduler=ddim,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    elif kind == "sdxl":
        unet = _unet(
            cross_attention_dim=32,
            addition_embed_type="text_time",
            addition_time_embed_dim=4,
            projection_class_embeddings_input_dim=16 + 6 * 4,
            use_linear_projection=True,
        )
        pipe = diffusers.StableDiffusionXLPipeline(
            vae=_vae(force_upcast=True),
            text_encoder=_text_encoder(False),
            text_encoder_2=_text_encoder(True),
            tokenizer=_tokenizer(),
            tokenizer_2=_tokenizer(),
            unet=unet,
            scheduler=diffusers.EulerDiscreteScheduler(timestep_spacing="leading", **schedule),
            add_watermarker=False,
        )
    else:
        transformer = diffusers.SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=40,
            caption_projection_dim=16,
            pooled_projection_dim=32,
            out_channels=4,
            pos_embed_max_size=16,
        ).eval()
        pipe = diffusers.StableDiffusion3Pipeline(
            transformer=transformer,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=_vae(shift_factor=0.06, scaling_factor=1.5),
            text_encoder=_text_encoder(True),
            tokenizer=_tokenizer(),
            text_encoder_2=_text_encoder(True),
            tokenizer_2=_tokenizer(),
            text_encoder_3=None,
            tokenizer_3=None,
        )
    return _weights(pipe)


@pytest.fixture(scope="session")
def tiny_pipeline() -> Callable[..., Any]:
    """kind → a tiny random diffusers pipeline."""
    return build_pipeline


@pytest.fixture(scope="session")
def tiny_model() -> Callable[..., Any]:
    """kind, scheduler → the adapter over a tiny random pipeline."""
    from harness.models.diffusion.adapter import Diffusion

    def build(kind: str = "sd", scheduler: str = "own", prediction: str = "epsilon", **changes: Any) -> Diffusion:
        settings = {"steps": 4, "guidance": 3.0, **changes}
        return Diffusion(build_pipeline(kind, prediction), scheduler_name=scheduler, **settings)

    return build


@pytest.fixture(scope="session")
def make_groups() -> Callable[..., list[Any]]:
    """prompts, per group, groups a prompt → groups of one seed."""
    from harness.methods.method import Group

    def build(prompts: int = 2, size: int = 4, each: int = 1, seed: int = 7) -> list[Group]:
        return [
            Group(seed, p, f"{WORDS[p % 6]} {WORDS[(p + 1) % 6]}", g, tuple(range(g * size, (g + 1) * size)))
            for p in range(prompts)
            for g in range(each)
        ]

    return build


class Toy:
    """The exact denoiser of x0 ~ N(μ(prompt), spread² I), as any kind of prediction, over diffusers schedulers.

    E[x0 | x] = μ + a s² / (a² s² + b²) (x - a μ). The condition's embeddings are μ itself; the negative's are 0.
    """

    shape = (2, 4, 4)

    def __init__(self, kind: str = "epsilon", dtype: str = "float32", spread: float = 0.5, scheduler: str = "") -> None:
        import torch

        self.kind, self.spread, self.scheduler = kind, spread, scheduler
        self.latent_shape, self.device, self.dtype = self.shape, torch.device("cpu"), getattr(torch, dtype)
        self.steps, self.guidance, self.fingerprint = 5, 2.0, ""
        self.batches: list[int] = []  # size of every network call
        self.inputs: list[Any] = []

    def conditions(self, prompt: str) -> tuple[Any, Any]:
        import torch

        from harness import keys
        from harness.methods.method import Condition

        mean = 2.0 * keys.normal((1, 4, 8), 0, "world", prompt)
        pooled = keys.normal((1, 6), 0, "world", prompt, "pooled")
        blank = Condition(torch.zeros_like(mean).to(self.dtype), torch.zeros_like(pooled).to(self.dtype))
        return Condition(mean.to(self.dtype), pooled.to(self.dtype)), blank

    def timetable(self, steps: int) -> Any:
        import diffusers

        from harness.models.diffusion.timetable import Scaling, from_set, timetable

        schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
        kind = "epsilon" if self.kind == "flow" else self.kind
        name = self.scheduler or "EulerDiscreteScheduler"
        extra = {"clip_sample": False, "set_alpha_to_one": True} if name == "DDIMScheduler" else {}
        scheduler = getattr(diffusers, name)(prediction_type=kind, timestep_spacing="trailing", **schedule, **extra)
        table = timetable(scheduler, steps, self.device)
        if self.kind == "flow":
            sigmas = [step.sigma for step in table.steps]
            flow = diffusers.FlowMatchEulerDiscreteScheduler()
            flow.set_timesteps(sigmas=[s / (1 + s) for s in sigmas], device=self.device)
            table = from_set(flow, Scaling.FLOW)
        self.scales = {round(float(t), 3): (s.a, s.b) for t, s in zip(table.timesteps, table.steps, strict=True)}
        return table

    def denoise(self, x: Any, timestep: Any, condition: Any) -> Any:
        self.batches.append(len(x))
        self.inputs.append(x.clone())
        a, b = self.scales[round(float(timestep), 3)]
        mean, s2 = condition.embeddings.reshape(x.shape), self.spread**2
        x0 = mean + a * s2 / (a * a * s2 + b * b) * (x - a * mean)
        noise = (x - a * x0) / b
        return {"epsilon": noise, "v_prediction": a * noise - b * x0, "sample": x0, "flow": noise - x0}[self.kind]

    def decode(self, latents: Any) -> Any:
        import torch

        return torch.sigmoid(torch.cat([latents, latents[:, :1]], 1)).float()

    def encode(self, images: Any) -> Any:
        return images[:, :2].float() * 2 - 1


@pytest.fixture(scope="session")
def toy() -> type[Toy]:
    """The class of analytic denoisers."""
    return Toy


@pytest.fixture
def recorder() -> Callable[..., Any]:
    """Builds a method that records every clean sample it is shown, and may change it, the score or the noise."""
    from harness.methods.method import Sampling

    def build(
        delta: float = 0.0, pull: float = 0.0, scale: Callable[[Any], float] | None = None, write: bool = True
    ) -> Any:
        class Recorder(Sampling):
            name = "recorder"

            def __init__(self) -> None:
                self.seen: list[Any] = []
                self.steps: list[Any] = []

            def clean_sample(self, x0: Any, step: Any, group: Any) -> Any:
                self.seen.append(x0.clone())
                self.steps.append(step)
                return x0 + delta if delta else x0

        if pull:

            def score(self: Any, x: Any, step: Any, group: Any) -> Any:
                return -pull * (x / step.a) / step.a

            Recorder.score = score  # type: ignore[method-assign]
        if scale is not None:

            def initial_noise(self: Any, noise: Any, group: Any) -> Any:
                return noise * scale(group)

            Recorder.initial_noise = initial_noise  # type: ignore[method-assign]
        return Recorder()

    return build
