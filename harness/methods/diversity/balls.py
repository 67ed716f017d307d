"""Points pushed out of balls: which points lie inside, how far each has to move, exactly and in bounded memory.

Screening is float32 by |x|² + |z|² - 2 x·z with a margin above its worst rounding error; every pair that passes is
decided and summed in float64 from the difference itself, so that no result depends on how the work was cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

CENTRES_A_BLOCK = 4096
NUMBERS_A_CHUNK = 2**24  # float64 numbers held at once for gathered pairs


@dataclass(frozen=True)
class Push:
    """delta (N, D) float64, Σ_k relu(r/d_k - 1)(x - z_k); inside (N,) balls entered; coincident (N,) centres hit."""

    delta: Tensor
    inside: Tensor
    coincident: Tensor
    radius: float

    def split(self, sizes: Sequence[int]) -> list[Push]:
        """The push on consecutive runs of points."""
        ends = list(accumulate(sizes))
        spans = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        return [Push(self.delta[s], self.inside[s], self.coincident[s], self.radius) for s in spans]


def push(points: Tensor, centres: Tensor, radius: float, *, own: bool = False) -> Push:
    """The push on points (N, D) out of balls of `radius` around centres (K, D).

    own   the centres are the points themselves: no point is pushed from itself
    A point on a centre has no direction: it is counted and not pushed.
    """
    import torch

    delta = torch.zeros(points.shape, dtype=torch.float64, device=points.device)
    inside = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    coincident = torch.zeros_like(inside)
    if radius <= 0:
        return Push(delta, inside, coincident, radius)
    for item, z in _near(points, centres, radius, own):
        away = points[item].double() - z.double()
        distance = away.norm(dim=1)
        hit, entered = distance == 0, (distance < radius) & (distance > 0)
        factor = torch.where(entered, radius / distance.clamp_min(1e-300) - 1.0, torch.zeros_like(distance))
        delta.index_add_(0, item, factor[:, None] * away)
        inside.index_add_(0, item, (entered | hit).long())
        coincident.index_add_(0, item, hit.long())
    return Push(delta, inside, coincident, radius)


def _near(points: Tensor, centres: Tensor, radius: float, own: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Chunks of pairs that may be closer than `radius`: item indices (M,) and their centres (M, D)."""
    x = points.float()
    squares = (x * x).sum(1)
    chunk = max(1, NUMBERS_A_CHUNK // points.shape[1])
    for start in range(0, len(centres), CENTRES_A_BLOCK):
        exact = centres[start : start + CENTRES_A_BLOCK].to(points.device)
        z = exact.float()
        size = squares[:, None] + (z * z).sum(1)[None]
        margin = (points.shape[1] + 8) * 2.0**-23 * size
        near = size - 2.0 * (x @ z.T) <= radius * radius + margin
        if own:
            columns = range(start, min(start + CENTRES_A_BLOCK, len(points)))
            near[list(columns), [c - start for c in columns]] = False
        item, column = near.nonzero(as_tuple=True)
        for begin in range(0, len(item), chunk):
            yield item[begin : begin + chunk], exact[column[begin : begin + chunk]]


def nearest(points: Tensor, centres: Tensor) -> Tensor:
    """(N,) float64 distance of each point to its nearest centre, by differences."""
    import torch

    best = torch.full((len(points),), float("inf"), dtype=torch.float64, device=points.device)
    for start in range(0, len(centres), CENTRES_A_BLOCK):
        block = centres[start : start + CENTRES_A_BLOCK].to(points.device).double()
        found = torch.cdist(points.double(), block, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1).values
        best = torch.minimum(best, found)
    return best


def within(points: Tensor) -> Tensor:
    """Distances of all pairs inside each set of points (P, n, D), pooled: (P n (n-1)/2,) float64."""
    import torch

    return torch.cat([torch.nn.functional.pdist(p) for p in points.double()])
