"""What a parameterisation is: a few numbers of a trained model that a search may move (arXiv 2410.11330).

A point is a vector x of R^d. x = 0 is the untouched model bit for bit: nothing is multiplied, added or registered for
coordinates that are 0. Points are standardised: about one unit is a step worth trying, whatever the numbers behind it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.models.parameterisations.knob import Knob

if TYPE_CHECKING:
    import torch
    from torch import nn

Point = NDArray[np.float64]


class Session(Protocol):
    """An opened model as parameterisations see it; see each file for what it touches.

    blocks   ordered names → modules whose output is a tensor, or a tuple or model output that begins with one
    layers   names → linear and convolution layers
    knobs    names → decoding knobs;  settings  their present values
    bias_size   length of the logit bias, 0 where there is none;  logit_bias  added to the logits unless None
    """

    blocks: Mapping[str, nn.Module]
    layers: Mapping[str, nn.Module]
    knobs: Mapping[str, Knob]
    settings: dict[str, float]
    bias_size: int
    logit_bias: torch.Tensor | None


class Parameterisation(ABC):
    """Base of all parameterisations; subclasses are frozen dataclasses of plain values, which are their identity."""

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1

    @abstractmethod
    def size(self, session: Session) -> int:
        """Number of coordinates for this model. Raises ValueError when the model has nothing to move."""

    def settled(self, session: Session, point: Point) -> Point:  # noqa: ARG002
        """The point that is really applied: rounded and clipped, so that equal models have equal points."""
        return np.asarray(point, dtype=np.float64) + 0.0  # -0 becomes 0

    @abstractmethod
    def applied(self, session: Session, point: Point) -> AbstractContextManager[None]:
        """The model with these numbers inside the `with`; afterwards every byte is what it was."""

    def check(self, session: Session, point: Point) -> Point:
        """The settled point. Raises ValueError for another length or for numbers that are not finite."""
        point = np.asarray(point, dtype=np.float64)
        if point.shape != (self.size(session),):
            raise ValueError(f"{self.name} of this model takes {self.size(session)} numbers, found {point.shape}")
        if not np.isfinite(point).all():
            raise ValueError(f"{self.name}: the point has numbers that are not finite")
        return self.settled(session, point)


@dataclass(frozen=True)
class Nothing(Parameterisation):
    """No coordinates: the untouched model."""

    name = "nothing"

    def size(self, session: Session) -> int:  # noqa: ARG002
        return 0

    def applied(self, session: Session, point: Point) -> AbstractContextManager[None]:
        self.check(session, point)
        return nullcontext()


def find(named: Mapping[str, Any], name: str | None, what: str) -> Any:
    """The entry `name`, or the last one. Raises ValueError saying what there is."""
    if not named:
        raise ValueError(f"this model names no {what}s to move")
    if name is None:
        return next(reversed(list(named.values())))
    if name not in named:
        raise ValueError(f"this model has no {what} {name!r}; one of {', '.join(named)}")
    return named[name]


@contextmanager
def swapped(parameter: torch.nn.Parameter, value: torch.Tensor) -> Iterator[None]:
    """A parameter with other values inside the `with`; its own storage comes back."""
    before = parameter.data
    parameter.data = value.to(before.dtype)
    try:
        yield
    finally:
        parameter.data = before
