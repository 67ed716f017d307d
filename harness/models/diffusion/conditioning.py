"""Conditions of the items of a network call, as methods changed them, and the guided sum of the two branches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.models.diffusion.hooks import Condition, Group, Hooks, Step

if TYPE_CHECKING:
    from torch import Tensor

Pair = tuple[Condition, Condition]  # conditional and negative, of one item


def stack(conditions: Sequence[Condition]) -> Condition:
    """Conditions of single items (batch 1 each) as one batch."""
    import torch

    first = conditions[0]
    pooled = None if first.pooled is None else torch.cat([c.pooled for c in conditions if c.pooled is not None])
    extra = {k: torch.cat([c.extra[k] for c in conditions]) for k in first.extra}
    return Condition(torch.cat([c.embeddings for c in conditions]), pooled, extra)


def guided(y_u: Tensor, y_c: Tensor, w: float) -> Tensor:
    if w == 1:
        return y_c
    return y_u if w == 0 else y_u + w * (y_c - y_u)


class NoUnconditionalBranch(ValueError):
    """A wish that a guidance-distilled network cannot grant: w is its input, and it knows no unconditional branch."""


def embedded(condition: Condition, weights: Sequence[float]) -> Condition:
    """The condition with w as the network's own guidance input, `extra["guidance"]` (B,) float32.

    Raises NoUnconditionalBranch for w < 1, which asks for a share of the unconditional model.
    """
    import torch

    if (least := min(weights)) < 1:
        raise NoUnconditionalBranch(
            f"guidance w = {least:g} asks for the unconditional model, which this guidance-distilled network has not: "
            "w is its input and starts at 1. Set the model's `network_guidance` to weigh two branches instead"
        )
    told = torch.tensor(weights, dtype=torch.float32, device=condition.embeddings.device)
    return Condition(condition.embeddings, condition.pooled, {**condition.extra, "guidance": told})


def refuse_inert(method: Hooks, active: frozenset[str]) -> None:
    """Raises NoUnconditionalBranch for a method that acts on the negative branch alone."""
    if active == {"negative"}:
        raise NoUnconditionalBranch(
            f"method {method.name!r} acts on the unconditional branch, which this guidance-distilled network has not. "
            "Set the model's `network_guidance` to weigh two branches"
        )


def runs(weights: Sequence[float]) -> list[tuple[slice, float]]:
    """Maximal runs of equal weight."""
    edges = [0] + [i for i in range(1, len(weights)) if weights[i] != weights[i - 1]] + [len(weights)]
    return [(slice(a, b), weights[a]) for a, b in pairwise(edges)]


def conditions_at(
    method: Hooks,
    active: frozenset[str],
    step: Step,
    views: Sequence[Group],
    spans: Sequence[slice],
    rows: Sequence[Pair],
    weights: Sequence[float],
) -> tuple[list[Condition], list[Condition]]:
    """Conditional and negative condition of every item at a step.

    views, spans  groups and where their items are;  rows  the untouched conditions;  weights  guidance of each item,
    so that no hook is asked for a branch that is not computed
    """
    result = []
    for branch, hook, unused in ((0, "condition", 0.0), (1, "negative", 1.0)):
        items = [pair[branch] for pair in rows]
        if hook in active:
            for v, span in zip(views, spans, strict=True):
                if all(w == unused for w in weights[span]):
                    continue
                given = _single(stack(items[span]))
                new = getattr(method, hook)(given, step, v)
                if new is not given:
                    v.log(f"{hook}.changed", step.index, 1.0)
                    items[span] = _split(new, items[span][0])
        result.append(items)
    return result[0], result[1]


def _single(condition: Condition) -> Condition:
    pooled = None if condition.pooled is None else condition.pooled.float()
    return Condition(condition.embeddings.float(), pooled, condition.extra)


def _split(condition: Condition, like: Condition) -> list[Condition]:
    """Items of a batch, in the dtype that the network takes."""
    result = []
    for i in range(len(condition.embeddings)):
        pooled = None if condition.pooled is None else condition.pooled[i : i + 1].to(like.embeddings.dtype)
        extra = {k: v[i : i + 1] for k, v in condition.extra.items()}
        result.append(Condition(condition.embeddings[i : i + 1].to(like.embeddings.dtype), pooled, extra))
    return result
