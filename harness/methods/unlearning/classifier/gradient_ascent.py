"""Gradient ascent on what is to be forgotten: θ ← θ + η ∇CE(forget). Nothing holds the rest in place.

Momentum, weight decay and schedule are the recipe's. Source: NegGrad of arXiv 1911.04933; values as SalUn's repository
uses them (unlearning.md 6.1). Closed form: one step of size η raises CE(forget) by η ‖∇‖² + O(η²).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.method import Source, method
from harness.methods.unlearning.request import Forgetting, Request
from harness.options import option

if TYPE_CHECKING:
    from harness.models.vision.classifier import Classifier


@method(
    "gradient_ascent",
    source=Source(
        title="Gradient ascent on the forget set",
        paper="1911.04933",
        code="github.com/OPTML-Group/Unlearn-Saliency",
        licence="MIT",
    ),
)
@dataclass(frozen=True)
class GradientAscent(Forgetting):
    """All weights move, up the loss of the forget set alone."""

    epochs: int = option(5, unit="epochs", at_least=0, help="passes over the forget set", source="SalUn repository: 5")
    rate: float = option(1e-4, unit="a step", above=0, help="learning rate at the start", source="SalUn: 1e-6 to 1e-4")

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        from torch.nn import functional

        from harness.models.vision.training import Descent, learning, passes, steps_of

        made, recipe = original.copy(), original.recipe
        descent = Descent(made.network, recipe, steps_of(len(request.forget), recipe, self.epochs), rate=self.rate)
        with learning(made.network, seed, "forget"):
            for batch in passes(request.forget, recipe, self.epochs, seed, "forget"):
                descent.step(-functional.cross_entropy(made.network(batch.pixels), batch.labels))
        request.charge("gradient", descent.done)
        return made
