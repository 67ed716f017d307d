"""Plain fine-tuning: no step changes nothing, steps lower the loss, the given model stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from harness.methods.retrofitting.fine_tuning import FineTuning
from harness.tasks.retrofitting import Examples


@dataclass
class Toy:
    """One matrix from the letters of a source to those of its reference."""

    network: nn.Linear

    def loss(self, sources: Any, references: Any) -> torch.Tensor:
        x, y = (torch.tensor([[float(t.count(c)) for c in "abcd"] for t in ts]) for ts in (sources, references))
        return (self.network(x) - y).square().mean()


def toy() -> Toy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Toy(nn.Linear(4, 4).requires_grad_(False))


FACTS = tuple({"source": "abcd"[i % 4] * (i % 3 + 1), "reference": "dabc"[i % 4] * (i % 3 + 1)} for i in range(12))


def test_no_step_changes_nothing() -> None:
    model, charged = toy(), []
    made = FineTuning(steps=0).edit(model, Examples(FACTS, lambda *c: charged.append(c)), 0)
    assert torch.equal(made.network.weight, model.network.weight)
    assert not charged


def test_steps_lower_the_loss_and_leave_the_given_model_alone() -> None:
    model, charged = toy(), []
    before = model.network.weight.clone()
    made = FineTuning(steps=200, rate=0.05, batch=4).edit(model, Examples(FACTS, lambda *c: charged.append(c)), 0)
    sources, references = zip(*((f["source"], f["reference"]) for f in FACTS), strict=True)
    assert float(made.loss(sources, references)) < 0.1 * float(model.loss(sources, references))
    assert torch.equal(model.network.weight, before)
    assert charged == [("gradient", 200)]
    assert not made.network.weight.requires_grad


def test_same_seed_same_weights_and_only_the_first_items_are_seen() -> None:
    def made(facts: Any, seed: int = 1, **options: Any) -> torch.Tensor:
        method = FineTuning(steps=5, batch=3, **options)
        weight: torch.Tensor = method.edit(toy(), Examples(facts, lambda *_: None), seed).network.weight
        return weight

    assert torch.equal(made(FACTS), made(FACTS))
    assert not torch.equal(made(FACTS), made(FACTS, seed=2))
    other = (*FACTS[:6], *({"source": "d", "reference": "aaaa"} for _ in range(6)))
    assert torch.equal(made(FACTS, tune_items=6), made(other, tune_items=6))


def test_a_model_without_a_loss_is_refused() -> None:
    with pytest.raises(TypeError, match="needs a model with a loss"):
        FineTuning().edit(object(), Examples(FACTS, lambda *_: None), 0)
