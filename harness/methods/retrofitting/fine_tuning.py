"""Plain fine-tuning of a sequence-to-sequence model on the tune items: what a user with gradients would do instead.

Cross-entropy of the references under teacher forcing, AdamW without dropout or weight decay, a rate that falls linearly
to 0. It sees the references of the items that a search only gets scores of: more information, another kind of budget,
counted in gradient steps.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from harness.keys import generator
from harness.methods.method import Edit, Source, method
from harness.options import option


@method(
    "fine_tuning",
    source=Source(title="Fine-tuning", licence="none needed"),
    requires="a differentiable model with a loss, references of the tune items; three more copies of its weights",
)
@dataclass(frozen=True)
class FineTuning(Edit):
    """All weights move."""

    steps: int = option(100, unit="steps", at_least=0, help="gradient steps", source="ours")
    rate: float = option(3e-4, unit="a step", above=0, help="learning rate at the start", source="ours")
    batch: int = option(16, unit="items", at_least=1, help="items a step, drawn without replacement", source="ours")
    tune_items: int | None = option(None, unit="items", at_least=1, help="only the first so many tune items")

    def edit(self, model: Any, data: Any, seed: int) -> Any:
        import torch

        if not callable(getattr(model, "loss", None)):
            raise TypeError("fine_tuning needs a model with a loss over sources and references; this one has none")
        pairs = [(str(f["source"]), str(f["reference"])) for f in data.facts[: self.tune_items]]
        made = deepcopy(model)
        if not self.steps:
            return made
        parameters = [p.requires_grad_(True) for p in made.network.parameters()]
        optimiser = torch.optim.AdamW(parameters, lr=self.rate, weight_decay=0.0)
        with torch.enable_grad():
            for step in range(self.steps):
                order = generator(seed, "method", "fine_tuning", step).permutation(len(pairs))[: self.batch]
                for group in optimiser.param_groups:
                    group["lr"] = self.rate * (1 - step / self.steps)
                sources, references = zip(*(pairs[i] for i in order), strict=True)
                optimiser.zero_grad(set_to_none=True)
                made.loss(sources, references).backward()
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimiser.step()
        for parameter in parameters:
            parameter.requires_grad_(False)
        data.charge("gradient", self.steps)
        return made
