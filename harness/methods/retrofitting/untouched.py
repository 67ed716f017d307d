"""The model as it is: the do-nothing method of the tasks that take searches and edits.

It asks its oracle once, for the identity, so that its loss on the tune items stands beside that of every search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.methods.method import Search, Source, method
from harness.methods.oracle import Oracle, Trace
from harness.models.parameterisations import Nothing, Parameterisation


@method("untouched", source=Source(title="The untouched model", licence="none needed"))
@dataclass(frozen=True)
class Untouched(Search):
    """No options."""

    def space(self) -> Parameterisation:
        return Nothing()

    def search(self, oracle: Oracle, seed: int) -> Trace:
        point = np.zeros(0)
        return Trace(point[None], np.array(oracle.evaluate(Nothing(), [point], oracle.items)), chosen=0, nats=0.0)
