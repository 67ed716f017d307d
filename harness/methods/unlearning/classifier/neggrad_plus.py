"""NegGrad+: down the loss of what is kept and up the loss of what is forgotten, in one step: α L_r - (1 - α) L_f.

Every batch of the retain set meets a batch of the forget set of the same size, whose passes go round. Source: arXiv
2302.09880, appendix; α as its repository has it (unlearning.md 6.1 marks the values unverified). Closed form: α = 1 is
fine-tuning, bit for bit.
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
    "neggrad_plus",
    source=Source(
        title="NegGrad+",
        paper="2302.09880",
        code="github.com/meghdadk/SCRUB",
        licence="UCLA academic, non-commercial (re-implemented)",
    ),
    requires="the retain set",
)
@dataclass(frozen=True)
class NegGradPlus(Forgetting):
    """Fine-tuning with a share of gradient ascent."""

    alpha: float = option(
        0.95, unit="share", at_least=0, at_most=1, help="weight of the retain loss", source=".95 to .9999, unverified"
    )
    epochs: int = option(5, unit="epochs", at_least=0, help="passes over the retain set", source="as fine_tune")
    rate: float = option(0.01, unit="a step", above=0, help="learning rate at the start", source="SalUn: FT .01 to .1")

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        from torch.nn import functional

        from harness.models.vision.training import Descent, endless, learning, passes, steps_of

        made, recipe = original.copy(), original.recipe
        descent = Descent(made.network, recipe, steps_of(len(request.retain), recipe, self.epochs), rate=self.rate)
        forgets = endless(request.forget, recipe, seed, "forget")
        with learning(made.network, seed, "retain"):
            for batch in passes(request.retain, recipe, self.epochs, seed, "retain"):
                loss = functional.cross_entropy(made.network(batch.pixels), batch.labels)
                if self.alpha < 1:  # at 1 nothing of the forget set is looked at, not even by normalisation layers
                    other = next(forgets)
                    ascent = functional.cross_entropy(made.network(other.pixels), other.labels)
                    loss = self.alpha * loss - (1 - self.alpha) * ascent
                descent.step(loss)
        request.charge("gradient", descent.done)
        return made
