"""Points that cannot have entered a ball since their last search are not searched again: exact, by the triangle.

A search leaves with every point a distance m that no center is nearer than. While the point is less than m - r away
from where it was then, every center is farther than m - (m - r) = r: the push is zero without reading a reference.
Early steps, whose expected samples are blurred and far from everything, and late ones, which hardly move, are skipped
so. Source: ours; no noise level is assumed to make a hit impossible.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.methods.diversity.balls import Push, push

if TYPE_CHECKING:
    from torch import Tensor

    from harness.data.references import References

KEY = "clearance"
ROUNDING = 1e-9  # relative; float64 distances over D coordinates are good to D 2⁻⁵³


@dataclass(frozen=True)
class Clearance:
    """Where the points of a group were when last searched, (B, D) float32, and how far they may go, (B,) float64."""

    centres: Tensor | References
    radius: float
    then: Tensor
    room: Tensor

    def holds(self, points: Tensor, centres: Tensor | References, radius: float) -> Tensor:
        """(B,) bool: outside of every ball for certain. False for other centers, another radius, NaN."""
        import torch

        if self.centres is not centres or self.radius != radius or self.then.shape != points.shape:
            return torch.zeros(len(points), dtype=torch.bool, device=points.device)
        moved: Tensor = (points.double() - self.then.double()).norm(dim=1)
        return (moved * (1 + ROUNDING)).lt(self.room)

    @classmethod
    def after(
        cls, points: Tensor, found: Push, centres: Tensor | References, kept: Clearance, still: Tensor
    ) -> Clearance:
        """After a search; the points that hold `still` keep where and with how much room they were."""
        import torch

        room = found.clear * (1 - ROUNDING) - found.radius
        then = torch.where(still[:, None], kept.then, points)
        return cls(centres, found.radius, then, torch.where(still, kept.room, room))


def push_moved(
    points: Sequence[Tensor], memories: Sequence[MutableMapping[str, Any]], centres: Tensor | References, radius: float
) -> list[tuple[Push, float]]:
    """`balls.push` on the points (B, D) of each group by one search for all, and the share of points not searched.

    memories  of the groups, kept between steps
    """
    import torch

    stills, looked = [], []
    for x, memory in zip(points, memories, strict=True):
        known: Clearance | None = memory.get(KEY)
        still = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        stills.append(still if known is None else known.holds(x, centres, radius))
        looked.append(x[~stills[-1]])
    searched = push(torch.cat(looked), centres, radius).split([len(x) for x in looked])
    result = []
    for x, memory, still, part in zip(points, memories, stills, searched, strict=True):
        whole = Push.none(x, radius)
        for name in ("delta", "inside", "coincident", "clear"):
            getattr(whole, name)[~still] = getattr(part, name)
        kept = memory.get(KEY) or Clearance(centres, radius, x, whole.clear)
        memory[KEY] = Clearance.after(x, whole, centres, kept, still)
        result.append((whole, float(still.double().mean())))
    return result
