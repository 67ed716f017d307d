"""DiT: class-conditional transformer, ε-prediction with learned variances (which the stock sampler leaves aside).

A prompt is a class: its number ("207"), its number with a name for readers ("207: golden retriever"), or a label of the
checkpoint ("golden retriever"). The condition that methods see is the class's embedding vector, not its number, so that
methods on text embeddings (annealed or guided conditions) act here too: (B, 1, D) where all blocks share one table, as
the published checkpoints do, else (B, L, D), one row a block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.models.diffusion.family import Family
from harness.models.diffusion.hooks import Condition

if TYPE_CHECKING:
    from torch import Tensor


def class_number(prompt: str, labels: Mapping[str, int], classes: int) -> int:
    """The class that a prompt names. Raises ValueError: no such class, or a number and a label that disagree."""
    numbered = re.fullmatch(r"(\d+)(?:\s*:\s*(.*))?", prompt.strip())
    if numbered is None:
        if prompt.strip() not in labels:
            known = f"; labels: {', '.join(list(labels)[:4])}, …" if labels else "; the checkpoint carries no labels"
            raise ValueError(f"prompt {prompt!r} is no class of the model: write its number, 0 to {classes - 1}{known}")
        return labels[prompt.strip()]
    number, name = int(numbered[1]), (numbered[2] or "").strip()
    if number >= classes:
        raise ValueError(f"class {number} of prompt {prompt!r} is not among the model's {classes} (0 to {classes - 1})")
    if name and labels.get(name, number) != number:
        raise ValueError(f"prompt {prompt!r}: the checkpoint calls class {labels[name]} {name!r}")
    return number


class DiT(Family):
    """Transformer with one class embedding a block; no text."""

    network_part = "transformer"
    text_parts = ()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        import torch

        if self.size_px != self.native_px():
            raise ValueError(f"DiT makes images of {self.native_px()} px, not of {self.size_px}")
        embedders = [block.norm1.emb.class_embedder for block in self.network.transformer_blocks]
        tables = [e.embedding_table.weight for e in embedders]
        self.classes: int = embedders[0].num_classes
        self.shared = all(torch.equal(tables[0], other) for other in tables[1:])
        self.tables = tables[:1] if self.shared else tables
        for index, embedder in enumerate(embedders):
            _take_embeddings(embedder, index)

    def conditions(self, prompt: str) -> tuple[Condition, Condition]:
        number = class_number(prompt, self.pipe.labels, self.classes)
        return self._condition(number), self._condition(self.classes)

    def _condition(self, row: int) -> Condition:
        import torch

        return Condition(torch.stack([table[row] for table in self.tables])[None].to(self.device))

    def denoise(self, x: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
        output: Tensor = self.network(
            x, timestep=timestep[None].to(x.device).expand(x.shape[0]), class_labels=condition.embeddings
        ).sample
        channels = self.latent_shape[0]
        return output[:, :channels] if output.shape[1] == 2 * channels else output

    def unscaled(self, z: Tensor) -> Tensor:
        result: Tensor = 1 / self.pipe.vae.config.scaling_factor * z
        return result


def _take_embeddings(embedder: Any, block: int) -> None:
    """Let a block's class embedder pass on embeddings (B, 1 or L, D) where it is not given class numbers."""
    if hasattr(embedder, "takes_embeddings"):
        return
    numbers = embedder.forward

    def forward(labels: Tensor, *more: Any) -> Tensor:
        if not labels.is_floating_point():
            looked_up: Tensor = numbers(labels, *more)
            return looked_up
        return labels[:, block if labels.shape[1] > 1 else 0]

    embedder.forward, embedder.takes_embeddings = forward, True
