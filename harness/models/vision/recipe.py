"""The training recipe of a classifier: declared once, by its model, and used for the original, retraining and methods.

A method has a budget and a rate of its own; batch, momentum, weight decay, schedule, augmentation and precision are the
recipe's for everyone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Augmentation = Literal["none", "crop-flip"]
Precision = Literal["float32", "bfloat16"]
Schedule = Literal["constant", "cosine"]


@dataclass(frozen=True)
class Recipe:
    """Stochastic gradient descent with momentum; weight decay is added to the gradient, on every parameter.

    epochs         passes over the training set
    batch          examples a step; the last batch of a pass is smaller
    rate           learning rate at the start; cosine: rate · (1 + cos(π t / T)) / 2 at step t of T
    augment        crop-flip: a random crop after 4 pixels of padding, and a mirror image for half of the examples
    precision      of the network's layers under autocast; losses and weights are float32
    channels_last  memory layout of convolutions on a GPU
    """

    epochs: int
    batch: int
    rate: float
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: Schedule = "cosine"
    augment: Augmentation = "none"
    precision: Precision = "float32"
    channels_last: bool = False

    def rate_at(self, step: int, steps: int, rate: float | None = None) -> float:
        """The learning rate of step `step` of `steps`, from the recipe's own start or from `rate`."""
        import math

        start = self.rate if rate is None else rate
        return start if self.schedule == "constant" else start * (1 + math.cos(math.pi * step / steps)) / 2
