"""The times at which a sampler calls the network, with signal and noise scales, whatever the scheduler's own scaling.

Euler-type schedulers hold VE-scaled latents x/a, the others VP-scaled ones (flows: (1-u) x0 + u ε). Methods see the
VP scaling only; the translation is here and nowhere else.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from harness.models.diffusion.hooks import Step
from harness.models.diffusion.prediction import Prediction

if TYPE_CHECKING:
    from torch import Tensor


class Scaling(StrEnum):
    VARIANCE_PRESERVING = "vp"
    VARIANCE_EXPLODING = "ve"
    FLOW = "flow"


class UnsupportedScheduler(ValueError):
    """A scheduler whose noise scales or draws the loop cannot state."""


# Scheduler classes of diffusers by what their latents are.
SCALINGS: dict[str, Scaling] = {
    "DDIMScheduler": Scaling.VARIANCE_PRESERVING,
    "PNDMScheduler": Scaling.VARIANCE_PRESERVING,
    "DPMSolverMultistepScheduler": Scaling.VARIANCE_PRESERVING,
    "EulerDiscreteScheduler": Scaling.VARIANCE_EXPLODING,
    "HeunDiscreteScheduler": Scaling.VARIANCE_EXPLODING,
    "FlowMatchEulerDiscreteScheduler": Scaling.FLOW,
}

# Names of the model option `scheduler`: class and the configuration that differs from the model's own.
SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "ddim_eta1": ("DDIMScheduler", {}),  # stochastic: eta = 1, ancestral DDPM noise
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "dpmpp_2m_sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}),
    "euler": ("EulerDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "flow_euler": ("FlowMatchEulerDiscreteScheduler", {}),
}


@dataclass
class Timetable:
    """A scheduler set to a number of steps: for one run of the loop, not to be shared (schedulers keep state).

    steps       one entry a network evaluation (Heun: 2 · steps - 1)
    timesteps   the scheduler's own times, on the device
    eta         share of DDIM's stochastic noise
    """

    scheduler: Any
    scaling: Scaling
    prediction: Prediction
    steps: tuple[Step, ...]
    timesteps: Tensor
    eta: float = 0.0

    @property
    def stochastic(self) -> bool:
        """Whether a step draws noise."""
        return self.eta > 0 or "sde" in self.scheduler.config.get("algorithm_type", "")

    def start(self, noise: Tensor) -> Tensor:
        """The first latent from standard normal noise."""
        if self.scaling is Scaling.FLOW:
            return noise
        scaled: Tensor = noise * self.scheduler.init_noise_sigma
        return scaled

    def network_input(self, x: Tensor, index: int) -> Tensor:
        if self.scaling is Scaling.FLOW:
            return x
        scaled: Tensor = self.scheduler.scale_model_input(x, self.timesteps[index])
        return scaled

    def advance(self, output: Tensor, index: int, x: Tensor, noise: Tensor | None) -> Tensor:
        """The next latent; `noise` (as x) where the scheduler is stochastic."""
        extra: dict[str, Any] = {}
        if isinstance_of(self.scheduler, "DDIMScheduler"):
            extra["eta"] = self.eta
        if noise is not None:
            extra["variance_noise"] = noise
        after: Tensor = self.scheduler.step(output, self.timesteps[index], x, **extra, return_dict=False)[0]
        return after

    def between_stages(self, index: int) -> bool:
        """Whether a step is half done after evaluation `index` (second-order solvers): the latent is not a sample."""
        return not self.steps[index].last and not getattr(self.scheduler, "state_in_first_order", True)

    def factor(self, index: int) -> float:
        """VP-scaled latent divided by the scheduler's latent, at network evaluation `index` (count: at the end)."""
        if self.scaling is not Scaling.VARIANCE_EXPLODING:
            return 1.0
        sigma = float(self.scheduler.sigmas[index])
        return float((1.0 + sigma * sigma) ** -0.5)


def isinstance_of(scheduler: Any, name: str) -> bool:
    return any(base.__name__ == name for base in type(scheduler).__mro__)


def timetable(
    scheduler: Any, count: int, device: Any, *, eta: float = 0.0, mu: float | None = None, sigmas: Any = None
) -> Timetable:
    """`scheduler` (a fresh one, owned by the result) set to `count` steps.

    mu       the resolution-dependent shift of flow schedulers with dynamic shifting
    sigmas   (count,) noise levels before the shift, where the pipeline states them itself
    Raises UnsupportedScheduler naming the supported classes.
    """
    kind = next((s for n, s in SCALINGS.items() if isinstance_of(scheduler, n)), None)
    if kind is None:
        raise UnsupportedScheduler(
            f"scheduler {type(scheduler).__name__} is not supported; supported: {', '.join(sorted(SCALINGS))}. "
            f"Set the model's `scheduler` to one of {', '.join(sorted(SCHEDULERS))}"
        )
    if isinstance_of(scheduler, "PNDMScheduler") and not scheduler.config.skip_prk_steps:
        raise UnsupportedScheduler("PNDM with Runge-Kutta warm-up (skip_prk_steps: false) is not supported; use `pndm`")
    if scheduler.config.get("stochastic_sampling", False):
        raise UnsupportedScheduler("stochastic flow sampling draws from a generator of its own; use `flow_euler`")
    known = inspect.signature(scheduler.set_timesteps).parameters
    extra = {k: v for k, v in {"mu": mu, "sigmas": sigmas}.items() if v is not None and k in known}
    scheduler.set_timesteps(count, device=device, **extra)
    return from_set(scheduler, kind, eta=eta)


def from_set(scheduler: Any, scaling: Scaling, *, eta: float = 0.0) -> Timetable:
    """The timetable of a scheduler whose timesteps are set already."""
    times = scheduler.timesteps
    train = scheduler.config.num_train_timesteps
    steps: list[Step] = []
    for i in range(len(times)):
        t = float(times[i])
        a, b = _scales(scheduler, scaling, i, t)
        time = b if scaling is Scaling.FLOW else t / train
        stage = i % 2 if isinstance_of(scheduler, "HeunDiscreteScheduler") else 0
        start = steps[-1].sigma if stage else None
        steps.append(Step(index=i, count=len(times), timestep=t, time=time, a=a, b=b, stage=stage, start=start))
    flow = scaling is Scaling.FLOW
    prediction = Prediction.FLOW if flow else Prediction(scheduler.config.prediction_type)
    return Timetable(scheduler, scaling, prediction, tuple(steps), times, eta)


def _scales(scheduler: Any, scaling: Scaling, index: int, timestep: float) -> tuple[float, float]:
    if scaling is Scaling.FLOW:
        u = float(scheduler.sigmas[index])
        return 1.0 - u, u
    if hasattr(scheduler, "sigmas"):
        sigma = float(scheduler.sigmas[index])
        a = (1.0 + sigma * sigma) ** -0.5
        return a, sigma * a
    signal = float(scheduler.alphas_cumprod[round(timestep)])
    return signal**0.5, (1.0 - signal) ** 0.5
