"""Subsets of candidates: greedy farthest points, and which kept candidate becomes which item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def farthest_points(apart: Tensor, count: int) -> list[int]:
    """Greedy max-min subset of M points by their distances (M, M): `count` indices in the order they were taken.

    Starts with the farthest pair; one point alone is the first. Ties go to the lower index.
    """
    import torch

    if count == 1:
        return [0]
    pairs = apart.clone()
    pairs.fill_diagonal_(-1.0)  # points that coincide are still two points
    first = int(pairs.argmax())
    chosen = [first // len(apart), first % len(apart)]
    while len(chosen) < count:
        nearest = apart[:, chosen].min(1).values
        nearest[chosen] = -torch.inf
        chosen.append(int(nearest.argmax()))
    return chosen


def least(apart: Tensor, chosen: list[int]) -> float:
    """Smallest distance between two of the chosen points; infinite for one."""
    part = apart[chosen][:, chosen].clone()
    part.fill_diagonal_(float("inf"))
    return float(part.min())


def seated(chosen: Sequence[int], samples: Sequence[int]) -> list[int]:
    """The kept candidates in the order of the B items: candidate i < B stays at item i, others fill the gaps.

    Gaps are filled in the order of sample numbers, of both the gap and the candidate, so that permuting a group
    permutes the result.
    """
    count = len(samples)
    result = {i: i for i in chosen if i < count}
    others = sorted((i for i in chosen if i >= count), key=lambda i: (i // count, samples[i % count]))
    gaps = sorted((i for i in range(count) if i not in result), key=lambda i: samples[i])
    result.update(zip(gaps, others, strict=True))
    return [result[i] for i in range(count)]
