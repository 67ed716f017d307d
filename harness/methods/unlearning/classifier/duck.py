"""DUCK: features of what is forgotten are drawn to the nearest centroid of a wrong class, while the rest is trained on.

λ1 mean cosine distance of forget features to the nearest (by cosine, at each step) centroid of another class
+ λ2 CE(retain, logits / T). Centroids are the original's mean features of each class of the retain set. A forget batch
meets a retain batch of the same size. It stops after the epoch in which the accuracy on the forget set is below `stop`;
where random examples are forgotten, at the original's accuracy on held-out ones (ours). Source: arXiv 2312.02052, from
the formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.method import Source, method
from harness.methods.unlearning.request import Forgetting, Request
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

    from harness.models.vision.classifier import Classifier
    from harness.models.vision.training import Examples


def centroids(classifier: Classifier, examples: Examples, classes: int) -> tuple[Tensor, Tensor]:
    """Mean features (K, D) of each class, unit length, and (K,) whether it has examples."""
    import torch

    parts = []
    with torch.no_grad():
        for start in range(0, len(examples), classifier.recipe.batch):
            pixels = examples.pixels[start : start + classifier.recipe.batch].float() / 255
            parts.append(classifier.features(pixels)[0])
    features = torch.cat(parts)
    member = torch.nn.functional.one_hot(examples.labels, classes).to(features.dtype)
    counts = member.sum(0)
    means = member.T @ features / counts.clamp_min(1)[:, None]
    return torch.nn.functional.normalize(means, dim=1), counts > 0


def pull(features: Tensor, labels: Tensor, means: Tensor, there: Tensor) -> Tensor:
    """Mean of 1 - cosine to the nearest wrong centroid. features (n, D), labels (n,), means (K, D), there (K,)."""
    import torch

    cosine = torch.nn.functional.normalize(features, dim=1) @ means.T
    cosine = cosine.masked_fill(~there, -torch.inf).scatter(1, labels[:, None], -torch.inf)
    return (1 - cosine.max(dim=1).values).mean()


@method(
    "duck",
    source=Source(
        title="DUCK: Distance-based Unlearning via Centroid Kinematics",
        paper="2312.02052",
        code="github.com/OcraM17/DUCK",
        licence="CC BY-NC-ND (re-implemented)",
    ),
    requires="the retain set",
)
@dataclass(frozen=True)
class Duck(Forgetting):
    """Features that move to a wrong centroid."""

    epochs: int = option(20, unit="epochs", at_least=0, help="passes over the forget set, at most", source="ours")
    rate: float = option(5e-4, unit="a step", above=0, help="learning rate of Adam", source="repository: 4e-4 to 1e-3")
    pulled: float = option(1.0, unit="1", at_least=0, help="λ1, weight of the distance", source="repository: 1")
    kept: float = option(1.4, unit="1", at_least=0, help="λ2, weight of the retain loss", source="repository: 1.4")
    temperature: float = option(2.0, unit="1", above=0, help="of the retain loss", source="repository: 2")
    stop: float = option(0.01, unit="share", at_least=0, at_most=1, help="accuracy that is enough", source="repository")

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        from torch.nn import functional

        from harness.methods.unlearning.classifier.scrub import error
        from harness.models.vision.training import Descent, endless, learning, passes, steps_of

        made, recipe = original.copy(), original.recipe
        means, there = centroids(original, request.retain, request.classes)
        enough = self.stop
        if request.forgotten is None and len(request.held_out):
            enough = 1 - error(original, request.held_out)
        steps = steps_of(len(request.forget), recipe, self.epochs)
        descent = Descent(made.network, recipe, steps, rate=self.rate, optimiser="adam")
        keeps = endless(request.retain, recipe, seed, "retain")
        for epoch in range(self.epochs):
            with learning(made.network, seed, "duck", epoch):
                for batch in passes(request.forget, recipe, 1, seed, "forget", epoch):
                    other = next(keeps)
                    features, _ = made.features(batch.pixels)
                    retained = functional.cross_entropy(made.network(other.pixels) / self.temperature, other.labels)
                    descent.step(self.pulled * pull(features, batch.labels, means, there) + self.kept * retained)
            if 1 - error(made, request.forget) < enough:
                break
        request.charge("gradient", descent.done)
        return made
