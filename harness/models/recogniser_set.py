"""A set of face recognisers as the model of a suite: those that methods may optimise or ask.

Targets of metrics need not be among them; who is, is named by `names`. Each opens once, when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.models.faces import recogniser as faces
from harness.models.faces.surrogates import resolve
from harness.models.model import Missing, MissingWeights, Model, model
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

SHIPPED = tuple(f"avatars-{n}" for n in ("resnet-a", "resnet-b", "mobilenet", "vit", "cnn", "weak"))


@model("face-recognisers")
@dataclass(frozen=True)
class FaceRecognisers(Model):
    """Recognisers by name; the shipped ones read drawn people only."""

    names: str = option("avatars", help="names joined by +; avatars: the six shipped ones", source="ours")

    @property
    def members(self) -> tuple[str, ...]:
        """The names, resolved."""
        return SHIPPED if self.names == "avatars" else tuple(dict.fromkeys(n.strip() for n in self.names.split("+")))

    @property
    def licence(self) -> str:
        return ", ".join(sorted({faces.find(name).licence for name in self.members}))

    def weights(self) -> Mapping[str, str]:
        if absent := self.missing():
            raise MissingWeights(absent)
        return {name: faces.find(name).identity() for name in self.members}

    def missing(self) -> tuple[Missing, ...]:
        return tuple(m for name in self.members for m in faces.find(name).missing())

    def open(self, device: str) -> RecogniserSession:
        if absent := self.missing():
            raise MissingWeights(absent)
        return RecogniserSession(self.members, device)


@dataclass
class RecogniserSession:
    """Opened lazily: recognisers of `members` on `device`."""

    members: tuple[str, ...]
    device: str
    _gradients: dict[str, Callable[[Tensor], Tensor]] = field(default_factory=dict)

    def resolve(self, words: str) -> tuple[str, ...]:
        """The members that words stand for (harness/models/faces/surrogates.py)."""
        return resolve(words, self.members)

    def surrogate(self, name: str) -> Callable[[Tensor], Tensor]:
        """Pictures (n, 3, H, W) in [0, 1] to unit vectors, differentiable. Raises KeyError outside the set."""
        self._check(name)
        if name not in self._gradients:
            self._gradients[name] = faces.find(name).gradient(self.device)
        return self._gradients[name]

    def ask(self, name: str, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Vectors (n, D) of pictures (n, H, W, 3); zeros where no face was found."""
        self._check(name)
        return faces.opened(name, self.device)(images).vectors

    def _check(self, name: str) -> Any:
        if name not in self.members:
            raise KeyError(f"{name!r} is not among the recognisers of this suite's model: {', '.join(self.members)}")
