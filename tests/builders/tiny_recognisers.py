"""Tiny recognisers with random weights, in the file formats of real ones."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from harness.models.weights import sha256


def convolutions(seed: int = 0, dimension: int = 32) -> Any:
    """(n, 3, s, s) → (n, dimension): strided convolutions with PReLU and a batch norm, as ArcFace's networks have."""
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Conv2d(3, 16, 5, 4, 2),
            nn.BatchNorm2d(16),
            nn.PReLU(16),
            nn.Conv2d(16, 32, 3, 2, 1),
            nn.PReLU(32),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, dimension),
        )
    return net.eval()


def transformer(seed: int = 0, dimension: int = 32) -> Any:
    """(n, 3, 112, 112) → (n, dimension): patches, two encoder layers with GELU, mean."""
    import torch
    from torch import nn

    class Vit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 32, 16, 16)
            layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, activation="gelu", norm_first=True)
            self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.place = nn.Parameter(torch.randn(1, 49, 32) * 0.02)
            self.head = nn.Linear(32, dimension)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = self.patches(x).flatten(2).transpose(1, 2) + self.place
            return self.head(self.layers(tokens).mean(1))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Vit().eval()


def save_onnx(net: Any, path: Path, *, side: int = 112, opset: int = 17) -> Path:
    """The network as an ONNX file with a free batch size."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (torch.zeros(2, 3, side, side),),
            str(path),
            input_names=["input"],
            output_names=["embedding"],
            dynamic_axes={"input": {0: "n"}, "embedding": {0: "n"}},
            opset_version=opset,
            dynamo=False,
        )
    return path


def save_shipped(root: Path, name: str, net: Any, **lineage: str) -> Path:
    """A folder as the zoo has: model.onnx and its card."""
    path = save_onnx(net, root / name / "model.onnx")
    card = {
        "files": {"model.onnx": {"sha256": sha256(path)}},
        "lineage": {"weights": name, "training": "avatars A", "architecture": "cnn", **lineage},
        "released": "2026-01-01",
        "licence": "Apache-2.0",
        "measured": {},
    }
    (root / name / "card.json").write_text(json.dumps(card))
    return path
