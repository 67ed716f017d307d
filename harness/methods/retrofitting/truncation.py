"""Truncation: a generator's own trade of diversity for quality, one knob set once.

psi is what the opened model makes of it (styles pulled towards their mean, or latents towards 0); 1 is the untouched
model bit for bit. No score is asked and nothing is searched: what a plain user would do. Source: arXiv 1812.04948 (*A
Style-Based Generator Architecture for Generative Adversarial Networks*), whose psi is 0.7.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

from harness.methods.method import Edit, Source, method
from harness.options import option

NAMES = ("psi", "truncation")  # of the knob, by model


@method(
    "truncation",
    source=Source("The truncation trick", "1812.04948", "none needed", "none needed"),
    requires="a model with a truncation knob",
)
@dataclass(frozen=True)
class Truncation(Edit):
    """The model with its truncation knob set to psi."""

    psi: float = option(0.7, unit="share", help="1 is the untouched model", source="arXiv 1812.04948")

    def edit(self, model: Any, data: Any, seed: int) -> Any:
        """A view of the opened model with settings of its own. Raises ValueError where it has no such knob."""
        knobs = getattr(model, "knobs", {})
        name = next((n for n in NAMES if n in knobs), None)
        if name is None:
            raise ValueError(
                f"truncation needs a model with the knob psi; this one has {', '.join(knobs) or 'no knob'}"
            )
        knob = knobs[name]
        if not knob.low <= self.psi <= knob.high:
            raise ValueError(f"{name} of this model lies in [{knob.low:g}, {knob.high:g}], found {self.psi:g}")
        edited = copy(model)
        edited.settings = {**model.settings, name: self.psi}
        return edited
