"""A denoiser whose decoding knobs and blocks a search may move; with every knob at its default it is the denoiser.

    guidance  w of y_u + w (y_c - y_u); 1 is the conditional model
    eta       share of ancestral noise, where the scheduler is DDIM
    shift     of the noise levels, where the model is a flow with a fixed shift

It is what `harness/models/parameterisations` calls a session, around what the loop calls a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.models.diffusion.adapter import Denoiser
from harness.models.diffusion.hooks import Condition
from harness.models.diffusion.timetable import Timetable, isinstance_of
from harness.models.parameterisations import Knob

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

FASTEST, FARTHEST = 0.25, 4.0  # guidance: one unit, and the upper bound, as shares of the model's own


class Adjustable:
    """A session over `model`, which is left as it is.

    blocks, layers   of U-Nets: down, middle and up blocks, and the last convolution; other networks name none
    knobs, settings  see above
    """

    bias_size = 0
    logit_bias: torch.Tensor | None = None

    def __init__(self, model: Denoiser) -> None:
        self.model: Any = model  # its timetable takes `shift` where it has that knob
        self.knobs: Mapping[str, Knob] = _knobs(model)
        self.settings: dict[str, float] = {name: knob.default for name, knob in self.knobs.items()}

    # --- what a search moves ------------------------------------------------------------------------------------------

    @property
    def blocks(self) -> Mapping[str, nn.Module]:
        network = _network(self.model)
        if not hasattr(network, "down_blocks"):
            return {}
        down, up = ({f"{s}.{i}": b for i, b in enumerate(getattr(network, f"{s}_blocks"))} for s in ("down", "up"))
        return {**down, "mid": network.mid_block, **up}

    @property
    def layers(self) -> Mapping[str, nn.Module]:
        last = getattr(_network(self.model), "conv_out", None)
        return {} if last is None else {"conv_out": last}

    # --- what the loop asks -------------------------------------------------------------------------------------------

    @property
    def guidance(self) -> float:
        return self.settings["guidance"]

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        found: tuple[int, int, int] = self.model.latent_shape
        return found

    @property
    def device(self) -> torch.device:
        found: torch.device = self.model.device
        return found

    @property
    def dtype(self) -> torch.dtype:
        found: torch.dtype = self.model.dtype
        return found

    @property
    def steps(self) -> int:
        found: int = self.model.steps
        return found

    @property
    def fingerprint(self) -> str:
        found: str = self.model.fingerprint
        return found

    @property
    def embeds_guidance(self) -> bool:
        return bool(getattr(self.model, "embeds_guidance", False))

    def conditions(self, prompt: str) -> tuple[Condition, Condition]:
        found: tuple[Condition, Condition] = self.model.conditions(prompt)
        return found

    def timetable(self, steps: int) -> Timetable:
        changed = {k: v for k, v in self.settings.items() if v != self.knobs[k].default}
        shifted: dict[str, Any] = {"shift": changed["shift"]} if "shift" in changed else {}
        table: Timetable = self.model.timetable(steps, **shifted)
        if "eta" in changed:
            table.eta = changed["eta"]
        return table

    def denoise(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        found: Tensor = self.model.denoise(x, timestep, condition)
        return found

    def decode(self, latents: Tensor) -> Tensor:
        found: Tensor = self.model.decode(latents)
        return found

    def encode(self, images: Tensor) -> Tensor:
        found: Tensor = self.model.encode(images)
        return found


def _network(model: Denoiser) -> Any:
    return getattr(getattr(model, "family", None), "network", None)


def _knobs(model: Denoiser) -> dict[str, Knob]:
    w = model.guidance
    knobs = {"guidance": Knob(w, min(1.0, w), FARTHEST * max(1.0, w), FASTEST * max(1.0, w))}
    table = model.timetable(model.steps)
    scheduler = table.scheduler
    if isinstance_of(scheduler, "DDIMScheduler"):
        knobs["eta"] = Knob(table.eta, 0.0, 1.0, 0.25)
    elif isinstance_of(scheduler, "FlowMatchEulerDiscreteScheduler") and not scheduler.config.use_dynamic_shifting:
        own = float(scheduler.config.shift)
        knobs["shift"] = Knob(own, min(0.5, own), 4 * own, own / 4)
    return knobs
