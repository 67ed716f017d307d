"""Gain and bias per output channel of a named linear or convolution layer: w_c becomes (1 + g_c) w_c, b_c + t_c.

On a layer whose channels are frequency bands this is an equaliser. Source: generation.md section 1, parameterisation
(b); our definition.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.models.parameterisations.parameterisation import Parameterisation, Point, Session, find, swapped


@dataclass(frozen=True)
class ChannelGains(Parameterisation):
    """layer   name of the layer; None = the last that the model names
    scale   change of gain for one unit; biases move by `scale` times the root mean square of the layer's bias (1 if 0)
    biases  whether the biases move too: d = channels or twice as many
    groups  neighbouring channels that share a gain, None = each has its own; d shrinks to the number of groups
    """

    layer: str | None = None
    scale: float = 0.1
    biases: bool = False
    groups: int | None = None

    name = "channel_gains"

    def _layer(self, session: Session) -> Any:
        layer = find(session.layers, self.layer, "layer")
        if self.biases and layer.bias is None:
            raise ValueError(f"layer {self.layer or 'at the end'} has no biases to move")
        return layer

    def _channels(self, session: Session) -> int:
        layer = self._layer(session)
        transposed = type(layer).__name__.startswith("ConvTranspose")
        return int(layer.weight.shape[1 if transposed else 0])

    def _groups(self, session: Session) -> int:
        return min(self.groups or self._channels(session), self._channels(session))

    def size(self, session: Session) -> int:
        return self._groups(session) * (2 if self.biases else 1)

    @contextmanager
    def applied(self, session: Session, point: Point) -> Iterator[None]:
        import torch

        point, layer = self.check(session, point), self._layer(session)
        groups, channels = self._groups(session), self._channels(session)
        of_channel = np.arange(channels) * groups // channels
        gains, shifts = point[:groups][of_channel], point[groups:][of_channel] if self.biases else np.zeros(channels)
        with ExitStack() as stack:
            weight, bias = layer.weight, layer.bias
            gain = torch.as_tensor(1 + self.scale * gains, dtype=torch.float64, device=weight.device)
            if gains.any():
                axis = 1 if type(layer).__name__.startswith("ConvTranspose") else 0
                shape = [-1 if i == axis else 1 for i in range(weight.ndim)]
                stack.enter_context(swapped(weight, weight.data.double() * gain.view(shape)))
            if bias is not None and (gains.any() or shifts.any()):
                unit = float(bias.data.double().square().mean().sqrt()) or 1.0
                shift = torch.as_tensor(self.scale * unit * shifts, dtype=torch.float64, device=bias.device)
                stack.enter_context(swapped(bias, bias.data.double() * gain + shift))
            yield
