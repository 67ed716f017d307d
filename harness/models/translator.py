"""An opened sequence-to-sequence model: translates texts, and shows what of it may be moved.

A translation depends on its source alone: a source is padded to the next multiple of BUCKET tokens, every call of the
network holds the same number of rows, and masked positions weigh exactly nothing. At their defaults the knobs add no
processor at all, so the untouched model is `generate` as transformers ships it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LogitsProcessor, LogitsProcessorList

from harness.models.parameterisations.knob import Knob

BUCKET = 32  # tokens; a source's own length decides its padding, never its neighbours'


class Added(LogitsProcessor):  # type: ignore[misc]
    """Adds `bias` (V,) to the logits of every step."""

    def __init__(self, bias: Tensor) -> None:
        self.bias = bias

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002 - the protocol
        return scores + self.bias.to(scores.device, scores.dtype)


class Copied(LogitsProcessor):  # type: ignore[misc]
    """Adds `nats` to the logits of tokens that stand in the row's source; `present` (B, V) bool, before beams."""

    def __init__(self, present: Tensor, nats: float) -> None:
        self.present, self.nats = present, nats

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002 - the protocol
        beams = len(scores) // len(self.present)
        return scores + self.nats * self.present.repeat_interleave(beams, dim=0).to(scores.dtype)


class Translator:
    """A model of transformers with a language-modelling head behind an encoder and a decoder.

    blocks    encoder.0 … decoder.n, in the order of the computation;  layers  cross_attention, feed_forward (of the
              last decoder block), head
    knobs     repetition_penalty, end_bias (nats on the end token), copy_bias (nats on tokens of the source), beams,
              length_penalty (does nothing with one beam)
    settings  the knobs' current values;  logit_bias  (bias_size,) added to every step's logits, None = nothing
    network, tokenizer  the parts, for methods that train
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        *,
        device: str = "cpu",
        max_length: int = 256,
        max_source: int = 512,
        beams: int = 1,
        batch: int = 32,
        prefix: str = "",
        start: int | None = None,
    ) -> None:
        self.network, self.tokenizer, self.device = network.to(device).eval().requires_grad_(False), tokenizer, device
        self.max_length, self.max_source, self.batch, self.prefix, self.start = (
            max_length,
            max_source,
            batch,
            prefix,
            start,
        )
        _own_head(network)
        self.blocks: Mapping[str, nn.Module] = _blocks(network)
        self.layers: Mapping[str, nn.Module] = _layers(network)
        self.knobs: Mapping[str, Knob] = {
            "repetition_penalty": Knob(1.0, 0.7, 1.5, 0.05),
            "end_bias": Knob(0.0, -8.0, 8.0, 1.0),
            "copy_bias": Knob(0.0, -4.0, 8.0, 0.5),
            "beams": Knob(float(beams), 1.0, float(max(4, beams)), 1.0, integer=True),
            "length_penalty": Knob(1.0, -2.0, 4.0, 0.5),
        }
        self.settings: dict[str, float] = {name: knob.default for name, knob in self.knobs.items()}
        self.logit_bias: Tensor | None = None

    @property
    def bias_size(self) -> int:
        """Entries of the logits: the vocabulary."""
        return int(self.network.get_output_embeddings().weight.shape[0])

    def translate(self, sources: Sequence[str]) -> list[str]:
        """The translation of each text. A source longer than `max_source` tokens is cut at its end."""
        rows = [self._tokens(text) for text in sources]
        width = [-(-len(row) // BUCKET) * BUCKET for row in rows]
        result = [""] * len(rows)
        for bucket in sorted(set(width)):
            members = [i for i, w in enumerate(width) if w == bucket]
            for first in range(0, len(members), self.batch):
                chosen = members[first : first + self.batch]
                texts = self._translated([rows[i] for i in chosen], bucket)
                for i, text in zip(chosen, texts, strict=True):
                    result[i] = text
        return result

    def loss(self, sources: Sequence[str], targets: Sequence[str]) -> Tensor:
        """Mean cross-entropy a token of the targets, in nats; differentiable where parameters ask for gradients."""
        rows, wanted = ([self._tokens(t, p) for t in ts] for ts, p in ((sources, self.prefix), (targets, "")))
        ids, mask = self._padded(rows, max(map(len, rows)))
        labels, known = self._padded(wanted, max(map(len, wanted)))
        found: Tensor = self.network(
            input_ids=ids, attention_mask=mask, labels=labels.masked_fill(known == 0, -100)
        ).loss
        return found

    def _tokens(self, text: str, prefix: str | None = None) -> list[int]:
        before = self.prefix if prefix is None else prefix
        ids: list[int] = self.tokenizer(before + text, truncation=True, max_length=self.max_source).input_ids
        return ids

    def _padded(self, rows: Sequence[Sequence[int]], width: int) -> tuple[Tensor, Tensor]:
        pad = int(self.tokenizer.pad_token_id)
        ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        return ids.to(self.device), mask.to(self.device)

    @torch.no_grad()
    def _translated(self, rows: list[list[int]], width: int) -> list[str]:
        ids, mask = self._padded([*rows, *[rows[0]] * (self.batch - len(rows))], width)
        beams = int(self.settings["beams"])
        more: dict[str, Any] = {"num_beams": beams}
        if beams > 1:
            more["length_penalty"] = self.settings["length_penalty"]
        if self.settings["repetition_penalty"] != self.knobs["repetition_penalty"].default:
            more["repetition_penalty"] = self.settings["repetition_penalty"]
        if self.start is not None:
            more["decoder_start_token_id"] = self.start
        written = self.network.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=False,
            max_new_tokens=self.max_length,
            logits_processor=self._processors(ids, mask),
            **more,
        )
        texts: list[str] = self.tokenizer.batch_decode(
            written[: len(rows)], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return texts

    def _processors(self, ids: Tensor, mask: Tensor) -> LogitsProcessorList:
        found = LogitsProcessorList()
        if self.logit_bias is not None:
            found.append(Added(self.logit_bias))
        if end_bias := self.settings["end_bias"]:
            bias = torch.zeros(self.bias_size)
            bias[self.tokenizer.eos_token_id] = end_bias
            found.append(Added(bias))
        if copy_bias := self.settings["copy_bias"]:
            present = torch.zeros(len(ids), self.bias_size, dtype=torch.bool, device=ids.device)
            present.scatter_(1, ids, mask.bool())  # padding comes last in a row and would clear a pad token: unwanted
            present[:, self.tokenizer.eos_token_id] = False
            found.append(Copied(present, copy_bias))
        return found


def _own_head(network: Any) -> None:
    """Gives a head that shares the embeddings' tensor one of its own, so that moving the head moves nothing else."""
    head, embeddings = network.get_output_embeddings(), network.get_input_embeddings()
    if head.weight is embeddings.weight:
        head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)


def _stack(part: Any) -> list[nn.Module]:
    """The blocks of an encoder or a decoder."""
    for name in ("block", "layers", "layer", "h"):
        if isinstance(blocks := getattr(part, name, None), nn.ModuleList):
            return list(blocks)
    raise ValueError(f"{type(part).__name__} names no blocks that we know")


def _blocks(network: Any) -> dict[str, nn.Module]:
    parts = {"encoder": network.get_encoder(), "decoder": network.get_decoder()}
    return {f"{name}.{i}": block for name, part in parts.items() for i, block in enumerate(_stack(part))}


def _layers(network: Any) -> dict[str, nn.Module]:
    """What matters most for what is written: what the last decoder block reads from the source, its last step, the
    head."""
    endings = {"cross_attention": ("EncDecAttention.o", "encoder_attn.out_proj"), "feed_forward": (".wo", "fc2")}
    named = dict(_stack(network.get_decoder())[-1].named_modules())
    found = {
        label: module
        for label, ends in endings.items()
        for name, module in named.items()
        if name.endswith(ends) and isinstance(module, nn.Linear)
    }
    return {**found, "head": network.get_output_embeddings()}
