"""Saliency of weights: which of them the loss of the forget set leans on, and holding the others still.

The mask marks the share of all weights with the largest |Σ ∇CE(forget)|, at the original, in evaluation mode. What is
not marked is put back after every step (`weights`), so that neither momentum nor weight decay moves it; the repository
of SalUn before February 2026 only cleared its gradient (`gradients`), and both did move it (issues 32, 33 there).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from harness.models.vision.classifier import Classifier
    from harness.models.vision.training import Examples

Applies = Literal["weights", "gradients"]


def mask_of(classifier: Classifier, forget: Examples, share: float) -> list[Tensor]:
    """A mask of booleans for every parameter, in their order; together they mark `share` of all weights."""
    network = classifier.network
    weights = [p.requires_grad_(True) for p in network.parameters()]
    totals = [torch.zeros_like(w) for w in weights]
    try:
        with torch.enable_grad():
            for start in range(0, len(forget), classifier.recipe.batch):
                part = forget[slice(start, start + classifier.recipe.batch)]
                loss = functional.cross_entropy(network(part.pixels.float() / 255), part.labels)
                for total, slope in zip(totals, torch.autograd.grad(loss, weights), strict=True):
                    total += slope
    finally:
        network.requires_grad_(False)
    every = torch.cat([t.abs().flatten() for t in totals])
    marked = torch.zeros(len(every), dtype=torch.bool, device=every.device)
    marked[every.argsort(descending=True, stable=True)[: round(share * len(every))]] = True
    parts = torch.split(marked, [t.numel() for t in totals])
    return [part.view_as(t) for part, t in zip(parts, totals, strict=True)]


@dataclass(frozen=True)
class Hold:
    """Weights that may not move: those that `masks` do not mark. One mask and one first value a parameter."""

    weights: list[nn.Parameter]
    first: list[Tensor]
    masks: list[Tensor]
    applies: Applies

    @classmethod
    def of(cls, network: nn.Module, masks: list[Tensor], applies: Applies) -> Hold:
        weights = list(network.parameters())
        return cls(weights, [w.detach().clone() for w in weights], masks, applies)

    def still(self, network: nn.Module) -> None:
        """Layers none of whose weights may move keep their running statistics too: they are as they were."""
        if self.applies == "gradients":
            return
        free = {id(w): bool(m.any()) for w, m in zip(self.weights, self.masks, strict=True)}
        for layer in network.modules():
            own = [free[id(w)] for w in layer.parameters(recurse=False)]
            if own and not any(own):
                layer.eval()

    def before(self) -> None:
        """Clears gradients before a step."""
        for weight, mask in zip(self.weights, self.masks, strict=True):
            if weight.grad is not None:
                weight.grad *= mask

    def after(self) -> None:
        """Puts weights back after a step."""
        if self.applies == "weights":
            with torch.no_grad():
                for weight, first, mask in zip(self.weights, self.first, self.masks, strict=True):
                    weight.copy_(torch.where(mask, weight, first))
