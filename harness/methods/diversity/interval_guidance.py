"""Interval guidance: guidance only where the noise is neither large nor small; elsewhere the conditional model alone.

D = D_u + w (D_c - D_u) for σ in (lo, hi], D_c outside (w = 1), where the unconditional call is not made. Bounds are σ =
b / a of VP terms (flows: u / (1-u)), never step indices. A second-order step is gated as a whole by the σ it starts at.
Source: arXiv 2404.07724; kynkaat/guidance-interval (formula re-implemented); generation.md section 6.4. Trap: "off" is
not the unconditional model.
Closed forms: (0, ∞) is plain guidance, an empty interval or w = 1 the conditional model, bit for bit; unconditional
calls = evaluations of the steps inside (EDM2, 32 Heun steps: 12, against 63 conditional ones).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.methods.method import Group, Sampling, Source, Step, method
from harness.options import option


class Gate(StrEnum):
    """Whose σ decides for the second evaluation of a second-order step."""

    STEP = "step"
    EVALUATION = "evaluation"


@method(
    "interval_guidance",
    source=Source(
        "Interval guidance",
        paper="arXiv 2404.07724",
        code="github.com/kynkaat/guidance-interval@be70a23",
        licence="Apache-2.0; parts from EDM CC BY-NC-SA 4.0; re-implemented",
    ),
)
@dataclass(frozen=True)
class IntervalGuidance(Sampling):
    """One weight inside an interval of noise levels, 1 outside."""

    w: float | None = option(
        None, unit="w, diffusers convention", at_least=0.0, help="weight inside; default: the model's", source="ours"
    )
    lo: float = option(
        0.28, unit="σ = b/a", at_least=0.0, help="guided above", source="EDM2-XXL: in [.189, .283); kynkaat, code"
    )
    hi: float | None = option(
        1.61,
        unit="σ = b/a",
        at_least=0.0,
        help="guided up to and with; null: ∞",
        source="EDM2-XXL: in [1.609, 2.174); kynkaat, code",
    )
    gate: Gate = option(
        Gate.STEP, help="σ of the step's start, or of each evaluation", source="the index rule of the authors' code"
    )

    def inside(self, sigma: float) -> bool:
        """Whether σ is in (lo, hi]."""
        return sigma > self.lo and (self.hi is None or sigma <= self.hi)

    def guidance(self, scale: float, step: Step, group: Group) -> float:
        if not self.inside(step.starting_sigma if self.gate == Gate.STEP else step.sigma):
            return 1.0
        return scale if self.w is None else self.w
