"""ℓ1-sparse: fine-tuning with a penalty on the sum of absolute weights that fades away: CE(retain) + γ_e ‖θ‖₁.

γ_e = α (1 - e / E) at epoch e of E. Sparse networks forget more easily. Source: arXiv 2304.04934. The paper's α is 5e-4
(unverified), its repository's default .2; both are presets. Closed form: α = 0 is fine-tuning, bit for bit.
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
    from harness.models.vision.training import Batch


@method(
    "l1_sparse",
    source=Source(
        title="Model Sparsity Can Simplify Machine Unlearning",
        paper="2304.04934",
        code="github.com/OPTML-Group/Unlearn-Sparse",
        licence="MIT",
    ),
    requires="the retain set",
)
@dataclass(frozen=True)
class L1Sparse(Forgetting):
    """Fine-tuning towards fewer weights."""

    alpha: float = option(
        5e-4, unit="a unit of weight", at_least=0, help="penalty at the start", source="arXiv 2304.04934, unverified"
    )
    epochs: int = option(10, unit="epochs", at_least=0, help="passes over the retain set", source="as SalUn's: 10")
    rate: float = option(0.01, unit="a step", above=0, help="learning rate at the start", source="SalUn: FT .01 to .1")

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        import torch

        from harness.models.vision.training import fit

        made = original.copy()
        weights = list(made.network.parameters())

        def penalty(batch: Batch) -> Tensor:
            size = torch.stack([w.abs().sum() for w in weights]).sum()
            return self.alpha * (1 - batch.epoch / self.epochs) * size

        steps = fit(
            made.network,
            request.retain,
            made.recipe,
            seed,
            "retain",
            epochs=self.epochs,
            rate=self.rate,
            penalty=penalty if self.alpha else None,
        )
        request.charge("gradient", steps)
        return made
