"""Fine-tuning on what is kept: min CE(retain) from the original weights; forgetting is left to chance.

Batch, momentum, weight decay, schedule and augmentation are the recipe's; epochs and rate are the method's budget.
Source: the baseline of every paper since arXiv 1911.04933; values of the NeurIPS 2023 starting kit (unlearning.md 6.1).
Closed forms: no epoch leaves every byte; equals NegGrad+ at alpha = 1.
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
    "fine_tune",
    source=Source(
        title="Fine-tuning on the retain set",
        code="github.com/unlearning-challenge/starting-kit",
        licence="Apache-2.0",
    ),
    requires="the retain set",
)
@dataclass(frozen=True)
class FineTune(Forgetting):
    """All weights move, on the retain set alone."""

    epochs: int = option(5, unit="epochs", at_least=0, help="passes over the retain set", source="starting kit: 5")
    rate: float = option(0.1, unit="a step", above=0, help="learning rate at the start", source="starting kit: .1")

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        from harness.models.vision.training import fit

        made = original.copy()
        steps = fit(made.network, request.retain, made.recipe, seed, "retain", epochs=self.epochs, rate=self.rate)
        request.charge("gradient", steps)
        return made
