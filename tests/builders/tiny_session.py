"""A two-block network as an opened model: everything that a parameterisation may move, in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from harness.models.parameterisations import Knob


class Block(nn.Module):
    """Linear and tanh; `wrap` gives its output inside a tuple, as attention blocks do."""

    def __init__(self, size: int, wrap: bool) -> None:
        super().__init__()
        self.linear, self.wrap = nn.Linear(size, size), wrap

    def forward(self, x: Tensor) -> Any:
        y = torch.tanh(self.linear(x))
        return (y, "cache") if self.wrap else y


@dataclass
class TinySession:
    """`run` maps (n, 4) to (n, 5): two blocks, a convolution over one channel, a head, knobs and a bias."""

    seed: int = 0
    settings: dict[str, float] = field(default_factory=lambda: {"temperature": 1.0, "beams": 1.0})
    logit_bias: Tensor | None = None

    def __post_init__(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.blocks = {"first": Block(4, wrap=False), "second": Block(4, wrap=True)}
            self.layers = {"conv": nn.Conv1d(1, 3, 2), "up": nn.ConvTranspose1d(3, 2, 2), "head": nn.Linear(8, 5)}
        self.knobs = {
            "temperature": Knob(1.0, 0.2, 3.0, 0.5),
            "beams": Knob(1.0, 1.0, 4.0, 1.0, integer=True),
        }
        self.bias_size = 5

    def run(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            hidden = self.blocks["second"](self.blocks["first"](x))[0]
            hidden = self.layers["up"](self.layers["conv"](hidden[:, None])).flatten(1)
            logits: Tensor = self.layers["head"](hidden) / self.settings["temperature"] * self.settings["beams"]
            return logits if self.logit_bias is None else logits + self.logit_bias
