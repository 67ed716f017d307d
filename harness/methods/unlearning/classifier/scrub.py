"""SCRUB: a student leaves its teacher, the original, on what is forgotten, and stays with it on what is kept.

An epoch goes up KL(teacher ‖ student) over the forget set (only in the first `ascents` epochs), then down
α KL(teacher ‖ student) + γ CE over the retain set; KL of softmaxes at temperature T, times T². With `returns: rewound`
(SCRUB+R) the student returns to the epoch whose error on the forget set is nearest to the last student's error on
held-out examples like it: of the same class where a class is forgotten. Source: arXiv 2302.09880. The repository's
step-wise schedule is replaced by the recipe's (ours).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from harness.methods.method import Source, method
from harness.methods.unlearning.request import Forgetting, Request
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

    from harness.models.vision.classifier import Classifier
    from harness.models.vision.training import Examples


def divergence(said: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """Mean KL(wanted ‖ said) of softmaxes at a temperature, times its square. Both (n, K) logits."""
    from torch.nn import functional

    a, b = (functional.log_softmax(x / temperature, dim=1) for x in (said, wanted))
    return functional.kl_div(a, b, log_target=True, reduction="batchmean") * temperature**2


def error(classifier: Classifier, examples: Examples) -> float:
    """Share of examples that are classified wrongly."""
    return float((classifier.logits(examples).argmax(1) != examples.labels.cpu().numpy()).mean())


@method(
    "scrub",
    source=Source(
        title="Towards Unbounded Machine Unlearning",
        paper="2302.09880",
        code="github.com/meghdadk/SCRUB",
        licence="UCLA academic, non-commercial (re-implemented)",
    ),
    requires="the retain set; rewound, held-out examples and a copy of the weights an epoch",
)
@dataclass(frozen=True)
class Scrub(Forgetting):
    """A student that disobeys its teacher selectively."""

    epochs: int = option(10, unit="epochs", at_least=0, help="passes over the retain set", source="small scale: 10")
    ascents: int = option(3, unit="epochs", at_least=0, help="epochs that begin with the ascent", source="small: 3")
    optimiser: Literal["adam", "sgd"] = option("adam", help="of both directions", source="small scale: Adam")
    rate: float = option(5e-4, unit="a step", above=0, help="learning rate at the start", source="both scales: 5e-4")
    weight_decay: float | None = option(
        0.1, unit="1", at_least=0, help="added to the gradient; null: the recipe's", source="small scale: .1"
    )
    temperature: float = option(2.0, unit="1", above=0, help="T", source="small scale: 2")
    alpha: float = option(0.5, unit="1", at_least=0, help="weight of KL on the retain set", source="small scale: .5")
    gamma: float = option(1.0, unit="1", at_least=0, help="weight of CE on the retain set", source="small scale: 1")
    forget_batch: int | None = option(None, unit="examples", at_least=1, help="of the ascent; default: the recipe's")
    returns: Literal["last", "rewound"] = option(
        "last", help="the last student, or SCRUB+R's: of the epoch that errs like held-out examples", source="SCRUB"
    )

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        import torch
        from torch.nn import functional

        from harness.models.vision.training import Descent, learning, passes, steps_of

        made, recipe = original.copy(), original.recipe
        ascent = replace(recipe, batch=self.forget_batch or recipe.batch)
        steps = steps_of(len(request.retain), recipe, self.epochs)
        steps += steps_of(len(request.forget), ascent, min(self.ascents, self.epochs))
        decay = recipe.weight_decay if self.weight_decay is None else self.weight_decay
        descent = Descent(made.network, recipe, steps, rate=self.rate, optimiser=self.optimiser, weight_decay=decay)

        def taught(pixels: Tensor) -> Tensor:
            with torch.no_grad():
                told: Tensor = original.network(pixels)
            return told

        past = [made.copy()]
        for epoch in range(self.epochs):
            with learning(made.network, seed, "scrub", epoch):
                for batch in passes(request.forget, ascent, int(epoch < self.ascents), seed, "forget", epoch):
                    descent.step(-divergence(made.network(batch.pixels), taught(batch.pixels), self.temperature))
                for batch in passes(request.retain, recipe, 1, seed, "retain", epoch):
                    said = made.network(batch.pixels)
                    loss = self.gamma * functional.cross_entropy(said, batch.labels)
                    descent.step(loss + self.alpha * divergence(said, taught(batch.pixels), self.temperature))
            if self.returns == "rewound":
                past.append(made.copy())
        request.charge("gradient", descent.done)
        return rewound(past, request) if self.returns == "rewound" else made


def rewound(past: list[Classifier], request: Request) -> Classifier:
    """Of the students after each epoch the one that errs on the forget set as the last does on held-out ones."""
    alike = request.held_out
    if request.forgotten is not None:
        alike = alike[alike.labels == request.forgotten]
    if len(alike) == 0:
        raise ValueError("scrub needs held-out examples like the forgotten ones: raise `held_out`")
    reference = error(past[-1], alike)
    return min(reversed(past), key=lambda student: abs(error(student, request.forget) - reference))
