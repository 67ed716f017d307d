"""The original classifier, which remembers everything: the control that any unlearning must move away from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.method import Source, method
from harness.methods.unlearning.request import Forgetting, Request

if TYPE_CHECKING:
    from harness.models.vision.classifier import Classifier


@method("do_nothing", source=Source(title="The original classifier", licence="none needed"))
@dataclass(frozen=True)
class DoNothing(Forgetting):
    """No options."""

    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        return original.copy()
