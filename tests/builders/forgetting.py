"""A small classifier of digits with something to forget: what methods of unlearning are tested on."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from harness.methods.unlearning.request import Request
from harness.models.vision.classifier import Blueprint, Classifier
from harness.models.vision.networks import perceptron, resnet
from harness.models.vision.recipe import Recipe
from harness.models.vision.training import Examples, fit

RECIPE = Recipe(epochs=6, batch=32, rate=0.1)
SHAPE, CLASSES, FORGOTTEN = (1, 8, 8), 4, 1


@cache
def examples() -> tuple[Examples, Examples, Examples]:
    """Forget (class 1), retain and held-out examples of the digits 0 to 3."""
    from harness.worlds.digits.data import small

    pixels, labels = (torch.from_numpy(a) for a in small("training"))
    chosen = Examples(pixels[:, None], labels)[labels < CLASSES]
    train, held_out = chosen[slice(0, 240)], chosen[slice(240, None)]
    forgets = train.labels == FORGOTTEN
    return train[forgets], train[~forgets], held_out


def blueprint(kind: str = "mlp", recipe: Recipe = RECIPE) -> Blueprint:
    def make(shape: tuple[int, int, int], classes: int) -> nn.Module:
        if kind == "linear":
            return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))
        return perceptron(64, classes, 24) if kind == "mlp" else resnet(1, classes, (4, 8), (1, 1))

    return Blueprint(make, recipe, kind, "cpu")


def fresh(kind: str = "mlp", key: str = "original", recipe: Recipe = RECIPE) -> Classifier:
    return blueprint(kind, recipe).fresh(SHAPE, CLASSES, torch.tensor([0.3]), torch.tensor([0.35]), 0, key)


@cache
def _trained(kind: str, epochs: int) -> Classifier:
    made = fresh(kind)
    forget, retain, _ = examples()
    fit(made.network, forget + retain, RECIPE, 0, "original", epochs=epochs)
    return made


def original(kind: str = "mlp", epochs: int = 6, **changes: Any) -> Classifier:
    """Trained on everything; `changes` replace fields of the recipe that methods go by."""
    made = _trained(kind, epochs).copy()
    return replace(made, recipe=replace(made.recipe, **changes))


def request(kind: str = "mlp", **fields: Any) -> Request:
    forget, retain, held_out = examples()

    def retrained() -> Classifier:
        made = fresh(kind, "retrain")
        fit(made.network, retain, RECIPE, 0, "retrain")
        return made

    made = Request(forget, retain, held_out, CLASSES, FORGOTTEN, lambda key: fresh(kind, key), retrained)
    return replace(made, **fields)


def state(classifier: Classifier) -> dict[str, Tensor]:
    """Copies of all weights and statistics."""
    return {k: v.clone() for k, v in classifier.network.state_dict().items()}


def same(a: Classifier, b: Classifier) -> bool:
    """Bit for bit."""
    one, two = state(a), state(b)
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


def right(classifier: Classifier, shown: Examples) -> float:
    """Accuracy."""
    return float((classifier.logits(shown).argmax(1) == shown.labels.numpy()).mean())
