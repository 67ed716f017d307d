"""Ridge head: the last layer becomes a ridge regression on the features before it, from which examples go exactly.

With φ the original's features and a one, Y one-hot: A = Σ φ φᵀ and B = Σ φ Yᵀ over all training data; then
W = (A - A_f + λ n_r I)⁻¹ (B - B_f): the statistics of the forgotten rows are taken off and the system is solved again.
Of a linear model this is retraining, to solver precision; of a deep one it forgets in the head alone, because its
features have seen everything: the control for methods that claim more. Ours; ridge regression has had the formula ever
since. Answers lie near 0 and 1; `scale` makes logits of them.
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


def sums(classifier: Classifier, examples: Examples, classes: int) -> tuple[Tensor, Tensor]:
    """A (D + 1, D + 1) and B (D + 1, K), float64, of features with a one behind them."""
    import torch
    from torch.nn import functional

    width = classifier.head.in_features + 1
    a, b = (torch.zeros(width, n, dtype=torch.float64, device=examples.labels.device) for n in (width, classes))
    for start in range(0, len(examples), classifier.recipe.batch):
        part = examples[slice(start, start + classifier.recipe.batch)]
        with torch.no_grad():
            rows = functional.pad(classifier.features(part.pixels.float() / 255)[0].double(), (0, 1), value=1.0)
        a += rows.T @ rows
        b += rows.T @ functional.one_hot(part.labels, classes).double()
    return a, b


@method("ridge_head", source=Source(title="Exact forgetting in a ridge regression", licence="none needed"))
@dataclass(frozen=True)
class RidgeHead(Forgetting):
    """A linear head without the forgotten rows."""

    penalty: float = option(1e-3, unit="a squared weight", above=0, help="λ, times the examples kept", source="ours")
    scale: float = option(10.0, unit="1", above=0, help="of answers that lie near 0 and 1", source="ours")

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        import torch

        made = original.copy()
        every = request.forget + request.retain
        (a, b), (a_f, b_f) = (sums(original, examples, request.classes) for examples in (every, request.forget))
        eye = torch.eye(len(a), dtype=a.dtype, device=a.device)
        solved = torch.linalg.solve(a - a_f + self.penalty * len(request.retain) * eye, b - b_f)
        with torch.no_grad():
            made.head.weight.copy_(self.scale * solved[:-1].T)
            if made.head.bias is None:
                raise ValueError("ridge_head needs a last layer with a bias")
            made.head.bias.copy_(self.scale * solved[-1])
        return made
