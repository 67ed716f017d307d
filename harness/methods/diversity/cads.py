"""Condition-annealed sampling: the text condition is noisy early in sampling and clean at the end.

γ(t) = 1 for t ≤ τ1, 0 for t ≥ τ2, linear between, t the normalised time (1 = noise).
ŷ = √γ y + s √(1-γ) n with n ~ N(0, I) fresh at every step; y_r = (ŷ - mean ŷ) / std ŷ · std y + mean y;
y' = ψ y_r + (1-ψ) ŷ. Source: arXiv 2310.17347 (formula as in v0xie/sd-webui-cads, re-implemented; the authors have no
public code); generation.md section 6.3. Ours: statistics per sample (the plugin's go over the batch, which couples
samples), and the time mapping above. Trap: with a schedule shift of 3 flow models spend 25 % of their steps at γ = 0
against 10 % unshifted, so the same τ is a far stronger perturbation.
Closed forms: γ(.6, .75, .9) = 1, .5, 0; ψ = 1 keeps mean and std of every sample; s = 0 and γ = 0 give y, not NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.methods.method import Condition, Couples, Group, Sampling, Source, Step, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor


class Branches(StrEnum):
    CONDITIONAL = "conditional"
    BOTH = "both"


class Statistics(StrEnum):
    SAMPLE = "sample"
    GROUP = "group"


def gamma(time: float, tau1: float, tau2: float) -> float:
    """Share of the signal kept at normalised `time`; a step function where tau1 = tau2."""
    if time <= tau1:
        return 1.0
    return 0.0 if time >= tau2 else (tau2 - time) / (tau2 - tau1)


def anneal(y: Tensor, n: Tensor, gamma: float, s: float, psi: float, per_sample: bool) -> Tensor:
    """y' of a condition y (B, …) with noise n of its shape; where ŷ is constant, rescaling gives y back."""
    import torch

    noisy = gamma**0.5 * y + s * (1.0 - gamma) ** 0.5 * n
    dims = tuple(range(1 if per_sample else 0, y.ndim))
    spread = noisy.std(dims, keepdim=True)
    safe = torch.where(spread > 0, spread, torch.ones_like(spread))
    rescaled = (noisy - noisy.mean(dims, keepdim=True)) / safe * y.std(dims, keepdim=True) + y.mean(dims, keepdim=True)
    rescaled = torch.where(spread > 0, rescaled, y)
    result: Tensor = psi * rescaled + (1.0 - psi) * noisy
    return result


@method(
    "cads",
    couples=Couples.GROUP,
    source=Source("CADS", paper="arXiv 2310.17347", code="", licence="no authors' code"),
)
@dataclass(frozen=True)
class Cads(Sampling):
    """Noise on the condition, annealed away."""

    tau1: float = option(
        0.6, unit="normalised time", at_least=0.0, at_most=1.0, help="clean below", source="sd-webui-cads; Table 13"
    )
    tau2: float = option(
        0.9,
        unit="normalised time",
        at_least=0.0,
        at_most=1.0,
        help="pure noise above",
        source="sd-webui-cads; Table 13",
    )
    s: float = option(
        0.25, unit="1", at_least=0.0, help="scale of the noise, at most .3 advised", source="sd-webui-cads"
    )
    psi: float = option(1.0, unit="1", at_least=0.0, at_most=1.0, help="share of rescaling", source="sd-webui-cads")
    branches: Branches = option(
        Branches.CONDITIONAL, help="which branches get noise", source="the paper's text; the plugin does both"
    )
    statistics: Statistics = option(
        Statistics.SAMPLE, help="what mean and std go over", source="ours; the plugin's go over the batch"
    )

    def __post_init__(self) -> None:
        if self.tau1 > self.tau2:
            raise ValueError(f"tau1 {self.tau1:g} is above tau2 {self.tau2:g}")

    def coupling(self) -> Couples:
        return Couples.GROUP if self.statistics == Statistics.GROUP else Couples.NOTHING

    def condition(self, condition: Condition, step: Step, group: Group) -> Condition:
        return self._noised(condition, step, group, "conditional")

    def negative(self, condition: Condition, step: Step, group: Group) -> Condition:
        if self.branches == Branches.CONDITIONAL:
            return condition
        return self._noised(condition, step, group, "negative")

    def _noised(self, condition: Condition, step: Step, group: Group, branch: str) -> Condition:
        share = gamma(step.time, self.tau1, self.tau2)
        if share == 1.0 or (self.s == 0.0 and self.psi == 1.0):
            return condition
        group.log(f"gamma.{branch}", step.index, share)

        def draw(y: Tensor, part: str) -> Tensor:
            import torch

            n = torch.stack([group.normal(tuple(y.shape[1:]), i, step.index, branch, part) for i in group.samples])
            return anneal(y, n.to(y), share, self.s, self.psi, self.statistics == Statistics.SAMPLE)

        pooled = None if condition.pooled is None else draw(condition.pooled, "pooled")
        return Condition(draw(condition.embeddings, "embeddings"), pooled, condition.extra)
