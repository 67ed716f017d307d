"""A rank-one change of one matrix: W + c u vᵀ, with u of the output's and v of the input's length; d = out + in.

The first half of a point is u, the second v. W changes only when both are not 0, so a search that starts at 0 sees no
slope there: points between 0 and one unit are far from each other in effect. c makes u = v = 1 everywhere change W by
`scale` of its own Frobenius norm. Source: generation.md section 1, parameterisation (d); our definition.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness.models.parameterisations.parameterisation import Parameterisation, Point, Session, find, swapped


@dataclass(frozen=True)
class RankOne(Parameterisation):
    """layer: name of the layer, None = the last; kernels of a convolution count as part of its inputs.

    scale: share of W's Frobenius norm that u = v = 1 changes.
    """

    layer: str | None = None
    scale: float = 0.1

    name = "rank_one"

    def _weight(self, session: Session) -> Any:
        return find(session.layers, self.layer, "layer").weight

    def size(self, session: Session) -> int:
        weight = self._weight(session)
        return int(weight.shape[0] + weight[0].numel())

    @contextmanager
    def applied(self, session: Session, point: Point) -> Iterator[None]:
        import torch

        point, weight = self.check(session, point), self._weight(session)
        rows = int(weight.shape[0])
        if not (point[:rows].any() and point[rows:].any()):
            yield
            return
        u, v = (torch.as_tensor(p, dtype=torch.float64, device=weight.device) for p in (point[:rows], point[rows:]))
        wide = weight.data.double()
        unit = self.scale * float(wide.norm()) / float(rows * len(v)) ** 0.5
        with swapped(weight, wide + unit * torch.outer(u, v).view_as(wide)):
            yield
