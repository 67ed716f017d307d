"""Decoding knobs: numbers the model reads when it runs (beams, penalties, truncation, guidance), none of them a weight.

Source: generation.md section 1, parameterisation (c).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from harness.models.parameterisations.parameterisation import Parameterisation, Point, Session


@dataclass(frozen=True)
class Decoding(Parameterisation):
    """knobs: names in the order of the coordinates; empty = all that the model has."""

    knobs: tuple[str, ...] = ()

    name = "decoding"

    def _names(self, session: Session) -> tuple[str, ...]:
        names = self.knobs or tuple(session.knobs)
        if not names:
            raise ValueError("this model has no decoding knobs")
        if unknown := [n for n in names if n not in session.knobs]:
            raise ValueError(f"this model has no knob {unknown[0]!r}; one of {', '.join(session.knobs) or 'none'}")
        return names

    def size(self, session: Session) -> int:
        return len(self._names(session))

    def settled(self, session: Session, point: Point) -> Point:
        knobs = [session.knobs[n] for n in self._names(session)]
        return np.array([k.coordinate(k.at(float(x))) for k, x in zip(knobs, point, strict=True)])

    @contextmanager
    def applied(self, session: Session, point: Point) -> Iterator[None]:
        before = dict(session.settings)
        names = self._names(session)
        values = [session.knobs[n].at(float(x)) for n, x in zip(names, self.check(session, point), strict=True)]
        session.settings.update(zip(names, values, strict=True))
        try:
            yield
        finally:
            session.settings.clear()
            session.settings.update(before)
