"""Points pushed out of balls: which points lie inside, how far each has to move, exactly and in bounded memory.

Candidates come from bounds that lose no pair (search.py); every candidate is decided and summed in float64 from the
difference itself, by item and then by row, so that no result depends on how the work was cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from harness.data.references import References
from harness.methods.diversity.search import near

if TYPE_CHECKING:
    from torch import Tensor

NUMBERS_A_CHUNK = 2**18  # float64 numbers held at once for gathered pairs (2 MB: near the processor)
FEW_PAIRS = 2**10  # so many are decided without a search
STARTS = 64  # rows that give a first bound on the nearest


@dataclass(frozen=True)
class Push:
    """delta (N, D) float64, Σ_k relu(r/d_k - 1)(x - z_k); inside (N,) balls entered; coincident (N,) centres hit.

    clear  (N,) float64, no centre is nearer than this; -inf where not looked at
    """

    delta: Tensor
    inside: Tensor
    coincident: Tensor
    radius: float
    clear: Tensor

    def split(self, sizes: Sequence[int]) -> list[Push]:
        """The push on consecutive runs of points."""
        ends = list(accumulate(sizes))
        spans = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        return [Push(self.delta[s], self.inside[s], self.coincident[s], self.radius, self.clear[s]) for s in spans]

    @classmethod
    def none(cls, points: Tensor, radius: float) -> Push:
        """No push on points (N, D)."""
        import torch

        inside = torch.zeros(len(points), dtype=torch.int64, device=points.device)
        clear = torch.full((len(points),), -torch.inf, dtype=torch.float64, device=points.device)
        return cls(torch.zeros_like(points, dtype=torch.float64), inside, inside.clone(), radius, clear)


def push(points: Tensor, centres: Tensor | References, radius: float, *, own: bool = False) -> Push:
    """The push on points (N, D) out of balls of `radius` around centres (K, D).

    own   the centres are the points themselves: no point is pushed from itself
    A point on a centre has no direction: it is counted and not pushed.
    """
    import torch

    result = Push.none(points, radius)
    if radius <= 0:
        return result
    delta, inside, coincident, clear = result.delta, result.inside, result.coincident, result.clear.fill_(torch.inf)
    limit = torch.full((len(points),), radius, dtype=torch.float64, device=points.device)
    for item, away in _differences(points, centres, limit, clear, own):
        distance = away.norm(dim=1)
        hit, entered = distance == 0, (distance < radius) & (distance > 0)
        if bool(entered.any()):
            factor = radius / distance[entered] - 1.0
            delta.index_add_(0, item[entered], factor[:, None] * away[entered])
        inside.index_add_(0, item, (entered | hit).long())
        coincident.index_add_(0, item, hit.long())
        clear.scatter_reduce_(0, item, distance, "amin")
    return result


def nearest(points: Tensor, centres: Tensor | References) -> Tensor:
    """(N,) float64 distance of each point to its nearest centre, by differences."""
    import torch

    some = torch.linspace(0, max(len(centres) - 1, 0), min(len(centres), STARTS), dtype=torch.float64).long()
    rows = centres.rows if isinstance(centres, References) else centres
    best = torch.full((len(points),), torch.inf, dtype=torch.float64, device=points.device)
    first = rows.index_select(0, some.to(rows.device)).to(points.device)
    for source in (first, centres):
        for item, away in _differences(points, source, best, None, own=False):
            best.scatter_reduce_(0, item, away.norm(dim=1), "amin")
    return best


def _differences(
    points: Tensor, centres: Tensor | References, limit: Tensor, clear: Tensor | None, own: bool
) -> Iterator[tuple[Tensor, Tensor]]:
    """Chunks of pairs that may be closer than limit (N,): item indices (M,) and x - z (M, D) float64."""
    import torch

    count, device = len(centres), points.device
    if len(points) * count <= FEW_PAIRS:
        item = torch.arange(len(points), device=device).repeat_interleave(count)
        found = iter([(item, torch.arange(count, device=device).repeat(len(points)))])
    else:
        known = centres if isinstance(centres, References) else References.of(centres.to(device), directions=0)
        found = near(points, known, limit, clear)
    rows = centres.rows if isinstance(centres, References) else centres
    chunk = max(1, NUMBERS_A_CHUNK // points.shape[1])
    for item, row in found:
        if own:
            item, row = item[item != row], row[item != row]
        for begin in range(0, len(item), chunk):
            which = item[begin : begin + chunk]
            z = rows.index_select(0, row[begin : begin + chunk].to(rows.device)).to(device)
            yield which, points.index_select(0, which).double() - z.double()


def within(points: Tensor) -> Tensor:
    """Distances of all pairs inside each set of points (P, n, D), pooled: (P n (n-1)/2,) float64."""
    import torch

    return torch.cat([torch.nn.functional.pdist(p) for p in points.double()])
