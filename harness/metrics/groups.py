"""Groups of items, and the measurement whose units are groups.

A group is the method's coupled group or all items of a prompt; it is never formed anew (the claim is about coupling).
Groups are numbered within their prompt, so that group g of a method meets group g of its baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import Array, CannotMeasure, Items, Measurement, ScoreStatus
from harness.stats.units import UnitKind, Units


class Grouping(StrEnum):
    PROMPT = "prompt"  # all items of a prompt
    GROUP = "group"  # the method's coupled group


@dataclass(frozen=True)
class Groups:
    """key (G,) "prompt/gNN", cluster (G,) the prompt, members: G arrays of item indices, ordered by sample."""

    key: NDArray[np.str_]
    cluster: NDArray[np.str_]
    members: tuple[Ints, ...]

    def __len__(self) -> int:
        return len(self.members)

    @property
    def prompts(self) -> Ints:
        """(G,) prompt of each group as 0 … P-1, in the order of the prompts."""
        inverse: Ints = np.unique(self.cluster, return_inverse=True)[1].astype(np.int64)
        return inverse


def groups_of(items: Items, by: Grouping = Grouping.GROUP, *, at_least: int = 1, size: int | None = None) -> Groups:
    """The groups of `items`, by prompt and then by group number, whatever the order of the items.

    at_least  smallest group that can be measured
    size      the size B that every group must have; None takes any one size
    Raises CannotMeasure: no items, groups too small, of unequal size where a size matters, or over several prompts.
    """
    if len(items) == 0:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "no items")
    label = items.group if by is Grouping.GROUP else items.prompt
    order = np.lexsort((items.sample, label, items.prompt))
    prompt, group = items.prompt[order], label[order]
    starts = np.flatnonzero(np.r_[True, (prompt[1:] != prompt[:-1]) | (group[1:] != group[:-1])])
    if len(set(group[starts].tolist())) != len(starts):
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, "a group holds items of several prompts")
    members = tuple(np.split(order.astype(np.int64), starts[1:]))
    owner = prompt[starts]
    number = np.arange(len(starts)) - np.searchsorted(owner, owner)
    sizes = [len(m) for m in members]
    if min(sizes) < at_least:
        raise CannotMeasure(
            ScoreStatus.INSUFFICIENT_N,
            f"{sum(s < at_least for s in sizes)} of {len(sizes)} groups have fewer than {at_least} images",
        )
    if size is not None and set(sizes) != {size}:
        found = ", ".join(map(str, sorted(set(sizes))))
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"groups of {found} images where the metric states {size}")
    return Groups(
        key=np.array([f"{p:04d}/g{g:02d}" for p, g in zip(owner, number, strict=True)]),
        cluster=np.array([f"{p:04d}" for p in owner]),
        members=members,
    )


def one_size(groups: Groups) -> int:
    """The common size B. Raises CannotMeasure: a quantity that depends on B has no value over unequal groups."""
    sizes = sorted({len(m) for m in groups.members})
    if len(sizes) > 1:
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH, f"groups of unequal sizes ({', '.join(map(str, sizes))}) cannot be compared"
        )
    return sizes[0]


def balanced(cluster: Array, what: str) -> None:
    """Raises CannotMeasure unless every prompt has equally many: then the mean is also the mean over prompts."""
    counts = np.unique(cluster, return_counts=True)[1]
    if counts.min() != counts.max():
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH,
            f"prompts have between {counts.min()} and {counts.max()} {what}; the denominators are fixed before the run",
        )


def mean_over_groups(groups: Groups, value: Floats, companions: Mapping[str, Measurement] | None = None) -> Measurement:
    """The mean over groups, which is the unweighted mean over prompts. Raises CannotMeasure: unequal group counts."""
    balanced(groups.cluster, "groups")
    units = Units(UnitKind.ITEMS, groups.key, groups.cluster, value)
    items = (groups.key, groups.cluster, value)
    return Measurement(float(value.mean()), len(groups), units, items, companions or {})


def per_group(groups: Groups, function: Callable[[Ints], float]) -> Floats:
    """(G,) the function of each group's item indices."""
    return np.array([function(members) for members in groups.members], dtype=np.float64)
