"""SPARKE: RKE guidance. A sample is pushed away from the finished samples before it, most from those of like prompts.

Every 10th step, after the sampler's update: u ← u - η ∇_u Σ_i k_Z(u_i, u)² k_Y(y_i, y)², u = z / √d for the VP-scaled
latent z of d numbers, u_i the finished latents; Gaussian kernels k = exp(-‖·‖² / 2σ²). With k_Y = 1 it is RKE guidance,
which knows no prompts. L = ‖K_Z ∘ K_Y‖_F² / n², whose constants are dropped: the step grows with what is finished.
Source: arXiv 2506.10173 (re-implemented); generation.md section 6.6. Ours: u, because kernels of raw latents underflow,
with the gradient in u too (in z it would be d times smaller: nothing); sample k of every prompt sees the samples before
k of all prompts (the paper: one after the other), so a single sample a prompt sees none; y as Stage.prompt_features has
it (the model's own text encoder, less the empty prompt); steps 0, 10, 20, … and never the last. Trap: strength was
chosen by its authors on in-batch similarity, a column they report.
Closed forms: nothing finished, or k_Y = 0 for all: untouched; coincident latents: gradient 0; finite differences of L.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from harness.methods.method import Couples, Group, Sampling, Source, Stage, Step, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor


class PromptKernel(StrEnum):
    """k_Y: of text features (SPARKE), 1 (RKE guidance), or 1 for the same prompt and 0 for others (ours)."""

    TEXT = "text"
    ONE = "one"
    SAME = "same"


def gradient(u: Tensor, others: Tensor, weights: Tensor, sigma: float) -> Tensor:
    """∇_u Σ_i w_i exp(-‖u_i - u‖² / σ²), float64 (B, d), of u (B, d), others (K, d), weights (B, K), w = k_Y²."""
    import torch

    centre = others[:1].double()  # differences only: less to cancel
    u, others = u.double() - centre, others.double() - centre
    squares = torch.cdist(u, others, compute_mode="donot_use_mm_for_euclid_dist") ** 2
    share = weights.double() * torch.exp(-squares / sigma**2)
    return -2.0 / sigma**2 * (share.sum(1, keepdim=True) * u - share @ others)


@method(
    "sparke",
    couples=Couples.SEQUENCE,
    source=Source(
        "SPARKE", paper="arXiv 2506.10173", code="mjalali.github.io/SPARKE", licence="not checked; re-implemented"
    ),
    requires="several samples a prompt; the final latents of a whole cell in memory, which then is one shard",
)
@dataclass(frozen=True)
class Sparke(Sampling):
    """Conditional (or plain) RKE guidance by the samples before."""

    prompts: PromptKernel = option(
        PromptKernel.TEXT,
        help="k_Y: text features, one (RKE guidance), or the same prompt only",
        source="arXiv 2506.10173",
    )
    eta: float = option(0.03, unit="1", at_least=0.0, help="step η, swept 0 … .09", source="arXiv 2506.10173, App. C")
    sigma_image: float = option(
        0.8, unit="latent L2 / √d", above=0.0, help="σ of k_Z", source="arXiv 2506.10173, App. C; the scaling is ours"
    )
    sigma_text: float = option(
        0.3, unit="L2 of unit vectors", above=0.0, help="σ of k_Y", source="arXiv 2506.10173, App. C (CLIP text)"
    )
    every: int = option(
        10, unit="solver steps", at_least=1, help="steps 0, n, 2n, … but the last", source="arXiv 2506.10173"
    )
    features: Any = field(default=None, repr=False, compare=False)  # (P, E) of the prompts, set by prepare

    def prepare(self, stage: Stage) -> Self:
        return replace(self, features=stage.prompt_features()) if self.prompts == PromptKernel.TEXT else self

    def weights(self, group: Group) -> Tensor:
        """k_Y² (K,) float64 of the group's prompt with those of the finished samples."""
        import torch

        if self.prompts == PromptKernel.ONE:
            return torch.ones(len(group.finished_prompts), dtype=torch.float64)
        index = torch.tensor(group.finished_prompts, dtype=torch.int64)
        same = index == group.prompt_index
        if self.prompts == PromptKernel.SAME:
            return same.double()
        if self.features is None:
            raise ValueError("sparke is not prepared: the prompts have no text features")
        y = self.features.double().cpu()
        squares = ((y[index] - y[group.prompt_index]) ** 2).sum(1)
        return torch.where(same, torch.ones_like(squares), torch.exp(-squares / self.sigma_text**2))

    def latent(self, x: Tensor, step: Step, group: Group) -> Tensor:
        number = group.memory["steps"] = group.memory.get("steps", -1) + 1
        if number % self.every or step.last or self.eta == 0 or group.finished is None:
            return x
        if "weights" not in group.memory:
            group.memory["weights"] = self.weights(group).to(x.device)
        weights = group.memory["weights"]
        if not bool((weights > 0).any()):
            return x
        flat = x.flatten(1)
        root = flat.shape[1] ** 0.5
        shift = -self.eta * gradient(
            flat / root, group.finished.to(x.device) / root, weights.expand(len(flat), -1), self.sigma_image
        )
        if not bool(shift.any()):
            return x
        group.log("shift", step.index, float(shift.norm(dim=1).mean()))  # against ‖u‖ of about 1
        moved: Tensor = x + (root * shift).view_as(x).to(x.dtype)
        return moved
