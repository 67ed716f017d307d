"""Selective synaptic dampening: weights that matter more to the forget set than to all data are made smaller.

F = E[(∇CE)²], over the forget set (F_f) and over all training data (F_D). Where F_f > α F_D: θ ← min(λ F_D / F_f, 1) θ.
No training. Gradients are those of batches, as in the repository, or of single examples. Source: arXiv 2308.07707.
Closed forms: F_f = F_D leaves every byte where α ≥ 1, and where α < 1 with λ = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.methods.method import Source, method
from harness.methods.unlearning.request import Forgetting, Request
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

    from harness.models.vision.classifier import Classifier
    from harness.models.vision.training import Examples


def importance(classifier: Classifier, examples: Examples, batch: int) -> list[Tensor]:
    """Mean over batches of the squared gradient of CE, a tensor a parameter; in evaluation mode."""
    import torch
    from torch.nn import functional

    network, parts = classifier.network, range(0, len(examples), batch)
    weights = [p.requires_grad_(True) for p in network.parameters()]
    totals = [torch.zeros_like(w) for w in weights]
    try:
        with torch.enable_grad():
            for start in parts:
                part = examples[slice(start, start + batch)]
                loss = functional.cross_entropy(network(part.pixels.float() / 255), part.labels)
                for total, slope in zip(totals, torch.autograd.grad(loss, weights), strict=True):
                    total += slope**2
    finally:
        network.requires_grad_(False)
    return [total / len(parts) for total in totals]


def dampen(weights: list[Tensor], forget: list[Tensor], every: list[Tensor], alpha: float, lam: float) -> None:
    """The update, in place."""
    import torch

    for weight, own, all_ in zip(weights, forget, every, strict=True):
        chosen = own > alpha * all_  # never where own is 0
        factor = torch.where(chosen, (lam * all_ / own.clamp_min(1e-38)).clamp_max(1.0), torch.ones_like(own))
        weight.mul_(factor)


@method(
    "ssd",
    source=Source(
        title="Fast Machine Unlearning Without Retraining Through Selective Synaptic Dampening",
        paper="2308.07707",
        code="github.com/if-loops/selective-synaptic-dampening",
        licence="MIT",
    ),
    requires="one gradient pass over all training data",
)
@dataclass(frozen=True)
class Ssd(Forgetting):
    """Dampening without training."""

    alpha: float = option(10.0, unit="1", above=0, help="how much more a weight must matter", source="repository: 10")
    lam: float = option(1.0, unit="1", above=0, help="strength of the dampening, λ", source="repository: 1")
    gradients: Literal["batch", "example"] = option(
        "batch", help="whose gradients are squared", source="the repository's mean over batches"
    )

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        import torch

        made = original.copy()
        batch = made.recipe.batch if self.gradients == "batch" else 1
        every = request.forget + request.retain
        own, all_ = importance(made, request.forget, batch), importance(made, every, batch)
        with torch.no_grad():
            dampen(list(made.network.parameters()), own, all_, self.alpha, self.lam)
        request.charge("gradient", -(-len(request.forget) // batch) - (-len(every) // batch))
        return made
