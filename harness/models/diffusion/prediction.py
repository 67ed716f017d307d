"""What a diffusion network predicts, and how a wish about the clean sample or the score is written in those terms.

VP: x_t = a x0 + b ε. EDM: a = 1, b = σ. Rectified flow: a = 1-u, b = u, v = ε - x0. One table for all of them
(generation.md section 0.2), so that a method states its wish once:

| prediction | x0                | ε              | x0 → x0 + δ     |
|------------|-------------------|----------------|-----------------|
| ε          | (x - b ε) / a     | ε              | ε - (a/b) δ     |
| v (VP)     | a x - b v         | b x + a v      | v - δ / b       |
| x0 (EDM D) | D                 | (x - a D) / b  | D + δ           |
| flow       | x - b v           | x + a v        | v - δ / b       |

A score increment g is δ = (b²/a) g in every row.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Below this noise scale (b, u or σ) δ/b diverges: corrections are skipped. Our definition, generation.md section 0.2.
SMALLEST_NOISE = 1e-3


class Prediction(StrEnum):
    """What the network's output is."""

    EPSILON = "epsilon"
    VELOCITY = "v_prediction"
    CLEAN = "sample"
    FLOW = "flow"


def clean(kind: Prediction, output: Tensor, x: Tensor, a: float, b: float) -> Tensor:
    """x0, the expected clean sample, from the output at the noisy x = a x0 + b ε. Raises ValueError for ε at a = 0."""
    if kind is Prediction.EPSILON:
        if a == 0:
            raise ValueError("an ε-prediction says nothing about the clean sample at zero signal (a = 0)")
        return (x - b * output) / a
    if kind is Prediction.VELOCITY:
        return a * x - b * output
    if kind is Prediction.FLOW:
        return x - b * output
    return output


def noise(kind: Prediction, output: Tensor, x: Tensor, a: float, b: float) -> Tensor:
    """ε, the expected noise. Raises ValueError for an x0-prediction at b = 0."""
    if kind is Prediction.EPSILON:
        return output
    if kind is Prediction.VELOCITY:
        return b * x + a * output
    if kind is Prediction.FLOW:
        return x + a * output
    if b == 0:
        raise ValueError("a clean prediction says nothing about the noise at zero noise (b = 0)")
    return (x - a * output) / b


def shift_clean(kind: Prediction, output: Tensor, delta: Tensor, a: float, b: float) -> Tensor:
    """The output after which x0 is x0 + delta. Where delta is 0 the output is the same bit for bit."""
    if kind is Prediction.EPSILON:
        return output - (a / b) * delta
    if kind is Prediction.CLEAN:
        return output + delta
    return output - delta / b


def shift_score(kind: Prediction, output: Tensor, g: Tensor, a: float, b: float) -> Tensor:
    """The output after which the score ∇ log p_t(x) is larger by g. Needs a > 0 except for ε."""
    if kind is Prediction.EPSILON:
        return output - b * g
    if kind is Prediction.CLEAN:
        return output + (b * b / a) * g
    return output - (b / a) * g
