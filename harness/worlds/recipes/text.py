"""The text side of a shipped pipeline: a CLIP tokenizer over a small vocabulary and a small CLIP text encoder."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import pre_tokenizers
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from harness.keys import generator

START, END = "<|startoftext|>", "<|endoftext|>"


def build_tokenizer(words: Sequence[str], max_length: int, folder: Path) -> CLIPTokenizer:
    """A CLIPTokenizer in `folder` that reads each of `words` as one token and spells other words in pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    merges = learn_merges(words)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *(a + b for a, b in merges), START, END]
    vocab = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=max_length, pad_token=END, unk_token=END)
    tokenizer.save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def learn_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Byte-pair merges, the most frequent pair first, until every word is one token; equal counts in alphabetic order.

    Ours because the trainer of `tokenizers` breaks ties differently at every call, and a tokenizer that changes
    between a training and its continuation changes the model. Source: arXiv 1508.07909, algorithm 1.
    """
    spelled = [[*word[:-1], f"{word[-1]}</w>"] for word in sorted({word.lower() for word in words})]
    merges = []
    while pairs := Counter(pair for word in spelled for pair in itertools.pairwise(word)):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for word in spelled:
            for i in itertools.count():
                if i >= len(word) - 1:
                    break
                if tuple(word[i : i + 2]) == best:
                    word[i : i + 2] = ["".join(best)]
    return merges


def build_encoder(
    tokenizer: CLIPTokenizer, width: int, layers: int, max_length: int, seed: int, heads: int = 4
) -> CLIPTextModel:
    """An untrained CLIP text encoder for `tokenizer`."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=max_length,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(seed, "training", "text encoder").integers(2**31)))
        return CLIPTextModel(config)


def tokenize(tokenizer: CLIPTokenizer, texts: Sequence[str]) -> Tensor:
    """Token numbers (N, max length) int64, padded and truncated as a diffusers pipeline does."""
    encoded = tokenizer(
        list(texts), padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
    )
    ids: Tensor = encoded.input_ids
    return ids


def pretrain(
    encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    draw: Callable[[int], tuple[list[str], NDArray[np.int64]]],
    classes: Sequence[int],
    steps: int,
    seed: int,
    device: torch.device,
    log: Callable[[str], None],
) -> float:
    """Teaches the encoder what captions state, before it conditions pictures; returns the last accuracy in [0, 1].

    draw: step -> captions and their statements (B, A) int64 with class numbers, K meaning "not stated".
    classes: number of classes K of each of the A statements.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(seed, "training", "text heads").integers(2**31)))
        heads = nn.Linear(encoder.config.hidden_size, sum(k + 1 for k in classes)).to(device)
    parameters = [*encoder.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-3)
    accuracy = 0.0
    for step in range(steps):
        texts, stated = draw(step)
        ids, target = tokenize(tokenizer, texts).to(device), torch.from_numpy(stated).to(device)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * min(1.0, (step + 1) / 50) * min(1.0, (steps - step) / (0.3 * steps))
        pooled = encoder(ids).pooler_output
        loss, right, start = torch.zeros((), device=device), 0.0, 0
        for a, logits in enumerate(heads(pooled).split([k + 1 for k in classes], dim=1)):
            loss = loss + nn.functional.cross_entropy(logits, target[:, a])
            right += float((logits.argmax(1) == target[:, a]).float().mean())
            start += 1
        accuracy = 0.95 * accuracy + 0.05 * right / start
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if (step + 1) % 100 == 0:
            log(f"text: step {step + 1}/{steps} loss {float(loss.detach()) / start:.4f} accuracy {accuracy:.4f}")
    return accuracy
