"""Adam and Adadelta of tensors, one memory an element: the steps of torch.optim, whose import takes seconds.

Sources: arXiv 1412.6980 (decays .9 and .999, 1e-8 beside the root), arXiv 1212.5701 (decay .95; 1e-7 under the roots,
keras's value).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

FIRST, SECOND, BESIDE = 0.9, 0.999, 1e-8
DECAY, UNDER = 0.95, 1e-7


class Adam:
    """x - rate · m / (√v + 1e-8), both without the bias of their start."""

    def __init__(self, rate: float) -> None:
        self._rate, self._count = rate, 0
        self._m: Tensor | float = 0.0
        self._v: Tensor | float = 0.0

    def stepped(self, x: Tensor, gradient: Tensor) -> Tensor:
        """x after the next step."""
        self._count += 1
        self._m = FIRST * self._m + (1 - FIRST) * gradient
        self._v = SECOND * self._v + (1 - SECOND) * gradient.square()
        first, second = self._m / (1 - FIRST**self._count), self._v / (1 - SECOND**self._count)
        return x - self._rate * first / (second.sqrt() + BESIDE)


class Adadelta:
    """x - rate · gradient · √(steps² + 1e-7) / √(gradients² + 1e-7), of decaying means."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._gradients: Tensor | float = 0.0
        self._steps: Tensor | float = 0.0

    def stepped(self, x: Tensor, gradient: Tensor) -> Tensor:
        """x after the next step."""
        self._gradients = DECAY * self._gradients + (1 - DECAY) * gradient.square()
        step = gradient * (self._steps + UNDER) ** 0.5 / (self._gradients + UNDER).sqrt()
        self._steps = DECAY * self._steps + (1 - DECAY) * step.square()
        return x - self._rate * step
