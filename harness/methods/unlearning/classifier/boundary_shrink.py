"""Boundary shrink: every forgotten example is given to the class across its nearest decision boundary.

x' = x + ε sign(∇_x CE(x, y)), and y' is the wrong class that the original holds most likely at x'; then CE(x, y') goes
down over the forget set. Source: arXiv 2303.11570, from the formula; ε counts in pixels of [0, 1] here (ours).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.method import Source, method
from harness.methods.unlearning.request import Forgetting, Request
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

    from harness.models.vision.classifier import Classifier
    from harness.models.vision.training import Examples


def across(classifier: Classifier, examples: Examples, bound: float) -> Tensor:
    """(n,) the wrong class behind the nearest boundary, by one step of the fast gradient sign method."""
    import torch
    from torch.nn import functional

    found = []
    for start in range(0, len(examples), classifier.recipe.batch):
        part = examples[slice(start, start + classifier.recipe.batch)]
        pixels = (part.pixels.float() / 255).requires_grad_(True)
        with torch.enable_grad():
            loss = functional.cross_entropy(classifier.network(pixels), part.labels, reduction="sum")
            (slope,) = torch.autograd.grad(loss, pixels)
        with torch.no_grad():
            logits = classifier.network((pixels + bound * slope.sign()).clamp(0, 1))
            found.append(logits.scatter(1, part.labels[:, None], -torch.inf).argmax(1))
    return torch.cat(found)


@method(
    "boundary_shrink",
    source=Source(
        title="Boundary Unlearning: shrinking",
        paper="2303.11570",
        code="github.com/TY-LEE-KR/Boundary-Unlearning-Code",
        licence="none found (re-implemented)",
    ),
)
@dataclass(frozen=True)
class BoundaryShrink(Forgetting):
    """Relabelling of the forget set by its nearest boundary."""

    bound: float = option(0.1, unit="of the pixel range", at_least=0, help="ε", source="repository: .1")
    epochs: int = option(10, unit="epochs", at_least=0, help="passes over the forget set", source="repository: 10")
    rate: float = option(1e-5, unit="a step", above=0, help="learning rate at the start", source="repository: 1e-5")

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        from harness.models.vision.training import fit

        made = original.copy()
        moved = request.forget.relabelled(across(original, request.forget, self.bound))
        steps = fit(made.network, moved, made.recipe, seed, "forget", epochs=self.epochs, rate=self.rate)
        request.charge("gradient", steps + -(-len(moved) // made.recipe.batch))
        return made
