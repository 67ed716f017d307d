"""The order in which groups run: side by side, or in waves where an item depends on finished ones.

A wave is as wide as it can be, so that network calls stay batched. What an item sees of others is given by the plan
alone (prompt index, sample number), never by the order in which groups were handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.models.diffusion.hooks import Group

if TYPE_CHECKING:
    from torch import Tensor

    Denoise = Callable[[Sequence[Group]], dict[int, Tensor]]  # groups side by side → latents by group's identity


def by_history(groups: Sequence[Group], denoise: Denoise) -> dict[int, Tensor]:
    """Final latents by group; the k-th group of every prompt runs after the prompt's first k-1, and sees them."""
    import torch

    by_prompt: dict[int, list[Group]] = {}
    for group in sorted(groups, key=lambda g: g.index):
        by_prompt.setdefault(group.prompt_index, []).append(group)
    known = {p: gs[0].finished for p, gs in by_prompt.items()}
    result: dict[int, Tensor] = {}
    for k in range(max(map(len, by_prompt.values()), default=0)):
        wave = [gs[k] for gs in by_prompt.values() if k < len(gs)]
        for group in wave:
            group.finished = known[group.prompt_index]
        for group, latents in zip(wave, denoise(wave).values(), strict=True):
            result[id(group)] = latents
            flat = latents.flatten(1).float()
            before = known[group.prompt_index]
            known[group.prompt_index] = flat if before is None else torch.cat([before.to(flat), flat])
    return result


def in_sequence(parts: dict[int, list[Group]], denoise: Denoise) -> dict[int, Tensor]:
    """Final latents by part; the k-th sample of every prompt runs after the first k-1 of all prompts, and sees them.

    parts  a group's identity → its samples as groups of one (`single`)
    """
    import torch

    by_prompt: dict[int, list[Group]] = {}
    for part in sorted((p for ps in parts.values() for p in ps), key=lambda p: p.samples):
        by_prompt.setdefault(part.prompt_index, []).append(part)
    finished: Tensor | None = None
    prompts: tuple[int, ...] = ()
    result: dict[int, Tensor] = {}
    for k in range(max(map(len, by_prompt.values()), default=0)):
        wave = [ps[k] for _, ps in sorted(by_prompt.items()) if k < len(ps)]
        for part in wave:
            part.finished, part.finished_prompts = finished, prompts
        latents = denoise(wave)
        result |= latents
        flat = torch.cat([latents[id(part)].flatten(1).float() for part in wave])
        finished = flat if finished is None else torch.cat([finished, flat])
        prompts += tuple(part.prompt_index for part in wave)
    return result


def single(group: Group) -> list[Group]:
    """Its samples as groups of one, each with a memory of its own; what they log is logged in the group."""
    return [replace(group, samples=(s,), memory={}) for s in group.samples]
