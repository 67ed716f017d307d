"""A bias on the logits of chosen tokens, the same at every position.

Source: generation.md section 1 (parameters on the output side); our definition.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from harness.models.parameterisations.parameterisation import Parameterisation, Point, Session


@dataclass(frozen=True)
class LogitBias(Parameterisation):
    """tokens: vocabulary indices in the order of the coordinates; empty = all. scale: nats for one unit."""

    tokens: tuple[int, ...] = ()
    scale: float = 0.5

    name = "logit_bias"

    def _tokens(self, session: Session) -> tuple[int, ...]:
        if not session.bias_size:
            raise ValueError("this model takes no logit bias")
        if outside := [t for t in self.tokens if not 0 <= t < session.bias_size]:
            raise ValueError(f"token {outside[0]} is outside the vocabulary of {session.bias_size}")
        return self.tokens or tuple(range(session.bias_size))

    def size(self, session: Session) -> int:
        return len(self._tokens(session))

    @contextmanager
    def applied(self, session: Session, point: Point) -> Iterator[None]:
        import torch

        point = self.check(session, point)
        if not point.any():
            yield
            return
        bias, before = np.zeros(session.bias_size), session.logit_bias
        bias[list(self._tokens(session))] = self.scale * point
        added = torch.as_tensor(bias, dtype=torch.float32)
        session.logit_bias = added if before is None else before + added
        try:
            yield
        finally:
            session.logit_bias = before
