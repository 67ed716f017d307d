"""SalUn: random labels, on those weights alone that the loss of the forget set leans on.

θ_u = m ∘ (θ_0 + Δθ) + (1 - m) ∘ θ_0, with m the half of all weights of largest |∇CE(forget)|. Source: arXiv 2310.12508;
values of its repository. `applies: gradients` is that repository before February 2026, where momentum and weight decay
moved masked weights (unlearning.md 2.9). Closed forms: share 1 is random labels, bit for bit; share 0 is the original.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.methods.method import Source, method
from harness.methods.unlearning.request import Forgetting, Request
from harness.options import option

if TYPE_CHECKING:
    from harness.models.vision.classifier import Classifier


@method(
    "salun",
    source=Source(
        title="SalUn: Empowering Machine Unlearning via Gradient-based Weight Saliency",
        paper="2310.12508",
        code="github.com/OPTML-Group/Unlearn-Saliency",
        licence="MIT",
    ),
    requires="the retain set; a copy and a mask of all weights",
)
@dataclass(frozen=True)
class SalUn(Forgetting):
    """Random labels on salient weights."""

    share: float = option(0.5, unit="share", at_least=0, at_most=1, help="of all weights that move", source="paper: .5")
    epochs: int = option(10, unit="epochs", at_least=0, help="passes over both sets", source="repository: 10")
    rate: float = option(0.013, unit="a step", above=0, help="learning rate at the start", source="repository: .013")
    order: Literal["forget-then-retain", "mixed"] = option(
        "forget-then-retain", help="of the sets in an epoch", source="repository on CIFAR-10 and SVHN"
    )
    applies: Literal["weights", "gradients"] = option(
        "weights", help="what the mask holds still: weights, or gradients alone", source="repository since 2026-02"
    )

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        from harness.methods.unlearning.classifier.random_label import descend, wrong_labels
        from harness.methods.unlearning.classifier.saliency import Hold, mask_of

        made = original.copy()
        hold = Hold.of(made.network, mask_of(made, request.forget, self.share), self.applies)
        labels = wrong_labels(request.forget.labels, request.classes, seed)
        steps = descend(made, request, labels, seed, epochs=self.epochs, rate=self.rate, order=self.order, hold=hold)
        request.charge("gradient", steps)
        return made
