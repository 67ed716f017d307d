"""Boundary expand: a class more takes in what is to be forgotten, and is dropped afterwards.

The head gets a row K + 1 (first weights drawn as its others were, by key); CE(x, K + 1) goes down over the forget set;
the row is removed. Source: arXiv 2303.11570, from the formula.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.methods.method import Source, method
from harness.methods.unlearning.request import Forgetting, Request
from harness.options import option

if TYPE_CHECKING:
    from torch import nn

    from harness.models.vision.classifier import Classifier


def resized(head: nn.Linear, rows: int, seed: int) -> nn.Linear:
    """A linear layer whose first rows are those of `head`; further ones are drawn as torch draws first weights."""
    import torch
    from torch import nn

    from harness.models.vision.training import keyed

    device = head.weight.device
    with keyed(seed, "boundary_expand", device=torch.device("cpu")):
        made = nn.Linear(head.in_features, rows, bias=head.bias is not None)
    made = made.to(device, head.weight.dtype)
    shared = min(rows, head.out_features)
    with torch.no_grad():
        made.weight[:shared] = head.weight[:shared]
        if head.bias is not None:
            made.bias[:shared] = head.bias[:shared]
    return made


@method(
    "boundary_expand",
    source=Source(
        title="Boundary Unlearning: expanding",
        paper="2303.11570",
        code="github.com/TY-LEE-KR/Boundary-Unlearning-Code",
        licence="none found (re-implemented)",
    ),
)
@dataclass(frozen=True)
class BoundaryExpand(Forgetting):
    """A shadow class that is thrown away."""

    epochs: int = option(10, unit="epochs", at_least=0, help="passes over the forget set", source="repository: 10")
    rate: float = option(1e-5, unit="a step", above=0, help="learning rate at the start", source="repository: 1e-5")

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        import torch

        from harness.models.vision.training import fit

        made = original.copy()
        place = next(name for name, layer in made.network.named_modules() if layer is made.head)
        if made.head.out_features != request.classes:
            raise ValueError(f"the last linear layer has {made.head.out_features} rows for {request.classes} classes")
        made.network.set_submodule(place, resized(made.head, request.classes + 1, seed))
        shadow = request.forget.relabelled(torch.full_like(request.forget.labels, request.classes))
        steps = fit(made.network, shadow, made.recipe, seed, "forget", epochs=self.epochs, rate=self.rate)
        made.network.set_submodule(place, resized(made.head, request.classes, seed).requires_grad_(False))
        request.charge("gradient", steps)
        return replace(made, network=made.network.eval())
