"""Fixtures over tiny random pipelines (built in tests/builders), and an analytic denoiser with a known answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tiny_pipelines import build_pipeline

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
