"""Random weights: the control that moves every tensor as far as another method does, in a random direction.

θ = θ_0 + ‖Δ‖ u for each tensor, with Δ the change that `like` makes at the same seed and u a keyed random direction.
What it reaches is what disturbance alone buys. Running statistics stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.keys import generator
from harness.methods.method import Source, method
from harness.methods.unlearning.request import Forgetting, Request
from harness.options import option

if TYPE_CHECKING:
    from harness.models.vision.classifier import Classifier


@method("random_weights", source=Source(title="A random change of equal norm", licence="none needed"))
@dataclass(frozen=True)
class RandomWeights(Forgetting):
    """A random step as long as another method's way."""

    like: Literal["fine_tune", "random_label", "gradient_ascent"] = option(
        "random_label", help="whose change gives the length", source="ours"
    )
    epochs: int = option(10, unit="epochs", at_least=0, help="of that method", source="as random_label")
    rate: float = option(0.013, unit="a step", above=0, help="of that method", source="as random_label")

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        import numpy as np
        import torch

        from harness.methods.unlearning.classifier.fine_tune import FineTune
        from harness.methods.unlearning.classifier.gradient_ascent import GradientAscent
        from harness.methods.unlearning.classifier.random_label import RandomLabel

        known = {"fine_tune": FineTune, "random_label": RandomLabel, "gradient_ascent": GradientAscent}
        other = known[self.like](epochs=self.epochs, rate=self.rate).forget(original, request, seed)
        made = original.copy()
        with torch.no_grad():
            pairs = zip(made.network.parameters(), other.network.parameters(), strict=True)
            for i, (weight, moved) in enumerate(pairs):
                drawn = generator(seed, "method", "random_weights", i).standard_normal(tuple(weight.shape), np.float32)
                direction = torch.from_numpy(drawn).to(weight.device)
                weight.add_((moved - weight).norm() * direction / direction.norm())
        return made
