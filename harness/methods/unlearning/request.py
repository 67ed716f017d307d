"""What an unlearning method of classifiers is handed: what to forget, what to keep, how networks are trained here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.methods.method import Edit

if TYPE_CHECKING:
    from harness.models.vision.classifier import Classifier
    from harness.models.vision.training import Examples


@dataclass(frozen=True)
class Request:
    """forget, retain  the examples of the training set, apart
    held_out   examples that no network was trained on and no metric reports: what a method may choose by
    classes    K;  forgotten  the class that is forgotten as a whole, None where it is not one
    fresh      key → an untrained network of the same architecture
    retrained  the network trained from scratch without the forget set; every method of a suite is given the same one
    charge     called with a kind of call and a count
    """

    forget: Examples
    retain: Examples
    held_out: Examples
    classes: int
    forgotten: int | None
    fresh: Callable[[str], Classifier]
    retrained: Callable[[], Classifier]
    charge: Callable[[str, int], None] = lambda *_: None


class Forgetting(Edit):
    """Base of the methods: an edit of a classifier. The given classifier is left as it is."""

    @abstractmethod
    def forget(self, original: Classifier, request: Request, seed: int) -> Classifier:
        """The classifier that is to answer like one that never saw `request.forget`."""

    def edit(self, model: Any, data: Any, seed: int) -> Any:
        if not isinstance(data, Request):
            raise TypeError(f"{self.name} forgets examples of a classifier; this task hands out {type(data).__name__}")
        return self.forget(model, data, seed)
