"""Sparse repellency: push the expected clean sample out of balls around given points, only when it is inside one.

Δ = Σ_k relu(r/‖x0 - z_k‖ - 1)(x0 - z_k);  x0 ← x0 + λ Δ, λ = 1.6.  The z_k are a protected set (static), the other
items of the group at the same step, and finished images of earlier groups of the prompt (dynamic). After guidance.
Source: arXiv 2410.06025 (no authors' code; formulas by a secondary source); generation.md section 5. Ours: without a
radius it is a quantile of base-model distances at the end of sampling: between samples of one prompt for group and
history, from a sample to its nearest protected point for the protected set (so the quantile is the base model's
in-shield rate); a point exactly on a centre gets a keyed random direction and is counted.
Closed forms: one ball, λ 1: lands at r; λ: d + λ (r - d); a pair: d + 2 λ (r - d); two opposite balls cancel (counted);
radius 0, or no ball entered: untouched bit for bit; permuting a group permutes the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from harness.methods.diversity.balls import Push, nearest, push, within
from harness.methods.diversity.clearance import push_moved
from harness.methods.method import Couples, Group, Sampling, Source, Stage, Step, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor


class Among(StrEnum):
    """Which samples of a prompt repel each other."""

    NOTHING = "nothing"
    GROUP = "group"
    HISTORY = "history"


class Stages(StrEnum):
    """Evaluations of a second-order step that are corrected."""

    BOTH = "both"
    FIRST = "first"


@method(
    "spell",
    couples=Couples.HISTORY,
    source=Source("SPELL (Shielded Diffusion)", paper="arXiv 2410.06025", licence="no authors' code"),
    requires="memory for the latents of the protected set",
)
@dataclass(frozen=True)
class Spell(Sampling):
    """Balls around a protected set, around the other samples, or both."""

    reads = ("protected",)

    protected: str | None = option(None, help="image set of the suite's data section that is shielded")
    among: Among = option(
        Among.HISTORY,
        help="samples that repel each other; history = group and earlier groups",
        source="arXiv 2410.06025, dynamic mode",
    )
    radius: float | None = option(
        None, unit="latent L2", at_least=0.0, help="balls around other samples", source="no default: the model's scale"
    )
    radius_protected: float | None = option(
        None, unit="latent L2", at_least=0.0, help="balls around protected points; default: `radius`, else the quantile"
    )
    radius_quantile: float = option(
        0.10,
        unit="share",
        at_least=0.0,
        at_most=1.0,
        help="of base distances, where a radius is not given",
        source="ours",
    )
    overcompensation: float = option(1.6, unit="1", at_least=0.0, help="λ", source="arXiv 2410.06025 (secondary)")
    sigma_min: float = option(0.0, unit="σ = b/a", at_least=0.0, help="active above", source="paper: all steps")
    sigma_max: float | None = option(None, unit="σ = b/a", above=0.0, help="active up to", source="paper: all steps")
    apply_at: Stages = option(
        Stages.BOTH, help="stages of a second-order solver that are corrected", source="ours; the paper is silent"
    )
    pilot: int = option(8, unit="samples a prompt", at_least=2, help="base samples for the quantile", source="ours")
    centres: Any = field(default=None, repr=False, compare=False)  # References (or (K, D) latents), set by prepare

    def __post_init__(self) -> None:
        if self.protected is None and self.among == Among.NOTHING:
            raise ValueError("nothing repels: set `protected`, or `among` to group or history")

    def coupling(self) -> Couples:
        return Couples(self.among)

    def prepare(self, stage: Stage) -> Self:
        radius, around = self.radius, self.radius if self.radius_protected is None else self.radius_protected
        centres = None if self.protected is None else stage.references(self.protected)
        wants = self.among != Among.NOTHING and radius is None, centres is not None and around is None
        base = stage.base_latents(self.pilot) if any(wants) else None
        if wants[0] and base is not None:
            radius = float(within(base).quantile(self.radius_quantile))
        if wants[1] and base is not None and centres is not None:
            around = float(nearest(base.flatten(0, 1), centres).quantile(self.radius_quantile))
        return replace(self, radius=radius, radius_protected=around, centres=centres)

    def clean_samples(self, x0s: Sequence[Tensor], step: Step, groups: Sequence[Group]) -> Sequence[Tensor]:
        """One pass over the protected set for all groups, then each group by itself."""
        if step.index == 0:
            for group in groups:
                for name, radius in (("radius", self.radius), ("radius.protected", self.radius_protected)):
                    if radius is not None:
                        group.log(name, 0, radius)
        if step.stage and self.apply_at == Stages.FIRST:
            return x0s
        if step.sigma <= self.sigma_min or (self.sigma_max is not None and step.sigma > self.sigma_max):
            return x0s
        flat = [x0.flatten(1).float() for x0 in x0s]
        pushes: list[list[Push]] = [[] for _ in groups]
        if self.protected is not None:
            if self.centres is None or self.radius_protected is None:
                raise ValueError("spell is not prepared: the protected set is not encoded")
            found = push_moved(flat, [g.memory for g in groups], self.centres, self.radius_protected)
            for mine, group, (part, skipped) in zip(pushes, groups, found, strict=True):
                mine.append(part)
                group.log("search.skipped", step.index, skipped)
        if self.among != Among.NOTHING:
            if self.radius is None:
                raise ValueError("spell is not prepared: give `radius`, or call prepare to take it from base distances")
            for mine, x, group in zip(pushes, flat, groups, strict=True):
                mine.append(push(x, x, self.radius, own=True))
                if self.among == Among.HISTORY and group.finished is not None:
                    mine.append(push(x, group.finished, self.radius))
        return [self._moved(*each, step) for each in zip(x0s, flat, pushes, groups, strict=True)]

    def _moved(self, x0: Tensor, flat: Tensor, pushes: Sequence[Push], group: Group, step: Step) -> Tensor:
        import torch

        delta = torch.stack([p.delta for p in pushes]).sum(0)
        inside = torch.stack([p.inside for p in pushes]).sum(0) > 0
        hits = [(p.radius, i) for p in pushes for i in p.coincident.nonzero()[:, 0].tolist()]
        for radius, i in hits:
            u = group.normal((flat.shape[1],), group.samples[i], step.index, "direction").to(delta)
            delta[i] += radius * u / u.norm()
        cancelled = inside & (delta.norm(dim=1) < 1e-6 * max(p.radius for p in pushes))
        group.log("pushed", step.index, float(inside.float().mean()))
        for name, count in (("coincident", len({i for _, i in hits})), ("cancelled", int(cancelled.sum()))):
            if count:
                group.log(name, step.index, count / len(flat))
        if not bool(inside.any()) or self.overcompensation == 0:
            return x0
        moved = (flat.double() + self.overcompensation * delta).float()
        return torch.where(inside[:, None], moved, flat).view_as(x0)
