"""Retraining from scratch without what is to be forgotten: exact unlearning, and what every other method is held to.

The recipe of the original, another seed of weights and orders. It is trained once a seed and shared by all methods of a
suite; its seconds are charged to this row in full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.method import Source, method
from harness.methods.unlearning.request import Forgetting, Request

if TYPE_CHECKING:
    from harness.models.vision.classifier import Classifier


@method("retrain", source=Source(title="Retraining from scratch", licence="none needed"), requires="the retain set")
@dataclass(frozen=True)
class Retrain(Forgetting):
    """No options: the recipe is the model's."""

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        return request.retrained()
