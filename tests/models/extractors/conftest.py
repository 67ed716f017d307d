"""Tiny checkpoints of the real transformers classes, in a weights folder, under the names of the published ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder; nothing is found anywhere else."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("HARNESS_WEIGHTS", str(folder))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("harness.models.extractors.places.HubFolder._cached", lambda self: None)
    return folder


def save_dinov2(folder: Path) -> None:
    """One layer of the width of ViT-S/14."""
    import torch
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(
        hidden_size=384, num_hidden_layers=1, num_attention_heads=6, mlp_ratio=1, image_size=224, patch_size=14
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        Dinov2Model(config).save_pretrained(folder)


def save_clip(folder: Path) -> None:
    """One layer a tower, projections of the width of ViT-B/32, a letter-by-letter tokenizer of twelve tokens."""
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    letters = "abcdefghijklmnopqrstuvwxyz,."
    vocab = {t: i for i, t in enumerate(["<|startoftext|>", "<|endoftext|>", *letters, *(c + "</w>" for c in letters)])}
    tokenizer = CLIPTokenizer(vocab=vocab, merges=[])
    tokenizer.model_max_length = 12
    tower: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    config = CLIPConfig(
        text_config={
            **tower,
            "num_attention_heads": 2,
            "vocab_size": len(vocab),
            "max_position_embeddings": 12,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "pad_token_id": 1,
            "projection_dim": 512,
        },
        vision_config={
            **tower,
            "num_attention_heads": 2,
            "image_size": 224,
            "patch_size": 32,
            "projection_dim": 512,
        },
        projection_dim=512,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["projection_dim"] == 512


def save_embedding(path: Path, dimension: int = 512) -> None:
    """A TorchScript embedding of unit length, as SSCD's files are."""
    import torch
    from torch import nn

    class Embedding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filters = nn.Conv2d(3, dimension, 16, stride=16)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.normalize(torch.tanh(self.filters(x)).mean(dim=[2, 3]))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.jit.script(Embedding().eval()).save(str(path))


@pytest.fixture
def standins(weights: Path) -> Path:
    """dinov2-vit-s-14, clip-vit-b-32 and sscd-disc-mixup."""
    save_dinov2(weights / "dinov2-vit-s-14")
    save_clip(weights / "clip-vit-b-32")
    save_embedding(weights / "sscd_disc_mixup.torchscript.pt")
    return weights


@pytest.fixture
def pictures() -> np.ndarray:
    """(7, 40, 60, 3) uint8, smooth, not of any network's size."""
    rng = np.random.default_rng(7)
    return rng.integers(0, 256, (7, 10, 15, 3)).astype(np.uint8).repeat(4, 1).repeat(4, 2)
