"""Bad teacher: the answers of the original are kept on what is kept, those of an untrained network learnt elsewhere.

min KL(teacher ‖ student), the teacher being θ_0 on a share of the retain set and a network with random weights on the
forget set, both in one mixed set. Source: arXiv 2205.08096; values of its repository.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.keys import generator
from harness.methods.method import Source, method
from harness.methods.unlearning.request import Forgetting, Request
from harness.options import option

if TYPE_CHECKING:
    from harness.models.vision.classifier import Classifier


@method(
    "bad_teacher",
    source=Source(
        title="Can Bad Teaching Induce Forgetting?",
        paper="2205.08096",
        code="github.com/vikram2000b/bad-teaching-unlearning",
        licence="MIT",
    ),
    requires="a share of the retain set; an untrained network of the same kind",
)
@dataclass(frozen=True)
class BadTeacher(Forgetting):
    """Distillation from a competent and an incompetent teacher."""

    epochs: int = option(1, unit="epochs", at_least=0, help="passes over the mixed set", source="repository: 1")
    rate: float = option(1e-4, unit="a step", above=0, help="learning rate of Adam", source="repository: 1e-4")
    temperature: float = option(1.0, unit="1", above=0, help="of both softmaxes", source="repository: 1")
    share: float = option(0.3, unit="share", above=0, at_most=1, help="of the retain set", source="repository: 30 %")

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        import torch
        from torch.nn import functional

        from harness.models.vision.training import Descent, learning, passes, steps_of

        made, recipe, bad = original.copy(), original.recipe, request.fresh("bad teacher")
        drawn = generator(seed, "method", "bad_teacher").permutation(len(request.retain))
        kept = torch.from_numpy(drawn[: max(1, round(self.share * len(drawn)))]).to(request.retain.labels.device)
        mixed, forgotten = request.forget + request.retain[kept], len(request.forget)
        steps = steps_of(len(mixed), recipe, self.epochs)
        descent = Descent(made.network, recipe, steps, rate=self.rate, optimiser="adam")
        with learning(made.network, seed, "mixed"):
            for batch in passes(mixed, recipe, self.epochs, seed, "mixed"):
                with torch.no_grad():
                    good, other = original.network(batch.pixels), bad.network(batch.pixels)
                    wanted = torch.where((batch.rows < forgotten)[:, None], other, good) / self.temperature
                said = functional.log_softmax(made.network(batch.pixels) / self.temperature, dim=1)
                loss = functional.kl_div(said, wanted.log_softmax(1), log_target=True, reduction="batchmean")
                descent.step(loss)
        request.charge("gradient", descent.done)
        return made
