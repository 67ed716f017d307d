"""Random labels: what is to be forgotten is trained on under wrong labels, what is kept under its own.

Every forgotten example gets one label out of the K - 1 wrong ones, drawn once by key. An epoch goes over the forget set
and then over the retain set (SalUn's repository on CIFAR-10 and SVHN), or over both mixed (CIFAR-100, Tiny ImageNet).
Source: arXiv 1911.04933; values of github.com/OPTML-Group/Unlearn-Saliency (unlearning.md 6.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.keys import generator
from harness.methods.method import Source, method
from harness.methods.unlearning.request import Forgetting, Request
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

    from harness.methods.unlearning.classifier.saliency import Hold
    from harness.models.vision.classifier import Classifier

Order = Literal["forget-then-retain", "mixed"]


def wrong_labels(labels: Tensor, classes: int, seed: int) -> Tensor:
    """(n,) int64, each other than its own, uniform over the others. labels (n,), classes K."""
    import torch

    away = generator(seed, "method", "wrong labels").integers(1, classes, len(labels))
    return (labels + torch.from_numpy(away).to(labels.device)) % classes


def descend(
    made: Classifier,
    request: Request,
    labels: Tensor,
    seed: int,
    *,
    epochs: int,
    rate: float,
    order: Order,
    hold: Hold | None = None,
) -> int:
    """Cross-entropy down on the forget set under `labels` and on the retain set, in place; the number of steps.

    hold  what may not move, if anything
    """
    from torch.nn import functional

    from harness.models.vision.training import Descent, learning, passes, steps_of

    forget, recipe = request.forget.relabelled(labels), made.recipe
    stages = {"forget": forget, "retain": request.retain}
    if order == "mixed":
        stages = {"mixed": forget + request.retain}
    steps = sum(steps_of(len(examples), recipe, epochs) for examples in stages.values())
    descent = Descent(made.network, recipe, steps, rate=rate)
    with learning(made.network, seed, "retain"):
        if hold is not None:
            hold.still(made.network)
        for epoch in range(epochs):
            for name, examples in stages.items():
                for batch in passes(examples, recipe, 1, seed, name, epoch):
                    loss = functional.cross_entropy(made.network(batch.pixels), batch.labels)
                    descent.step(loss, *(() if hold is None else (hold.before, hold.after)))
    return descent.done


@method(
    "random_label",
    source=Source(
        title="Training on random labels",
        paper="1911.04933",
        code="github.com/OPTML-Group/Unlearn-Saliency",
        licence="MIT",
    ),
    requires="the retain set",
)
@dataclass(frozen=True)
class RandomLabel(Forgetting):
    """All weights move, towards wrong labels of the forget set and right ones of the retain set."""

    epochs: int = option(10, unit="epochs", at_least=0, help="passes over both sets", source="SalUn repository: 10")
    rate: float = option(0.013, unit="a step", above=0, help="learning rate at the start", source="SalUn: .013 to .1")
    order: Order = option("forget-then-retain", help="of the sets in an epoch", source="SalUn repository on CIFAR-10")

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        made = original.copy()
        labels = wrong_labels(request.forget.labels, request.classes, seed)
        steps = descend(made, request, labels, seed, epochs=self.epochs, rate=self.rate, order=self.order)
        request.charge("gradient", steps)
        return made
