"""Scorers of picture quality: a picture to one number in [0, 1], 1 for a clean one. Two nets that share nothing."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from harness.models.zoo.card import load_safetensors

SIZE_PX = 64


class _Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.body(x)
        return result


def convolutional() -> nn.Sequential:
    """Convolutions down to 8x8 places, each place read where it is: (N, 3, 64, 64) in [-1, 1] to (N, 1)."""
    return nn.Sequential(
        nn.PixelUnshuffle(2),
        nn.Conv2d(12, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 48, 3, stride=2, padding=1),
        _Residual(48),
        nn.Conv2d(48, 64, 3, stride=2, padding=1),
        _Residual(64),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Conv2d(64, 16, 1),
        nn.Flatten(),
        nn.Linear(1024, 64),
        nn.ReLU(),
        nn.Linear(64, 1),
    )


class _Mixing(nn.Module):
    """Mixes places, then channels (arXiv 2105.01601), of (N, places, channels)."""

    def __init__(self, places: int, channels: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.places = nn.Sequential(nn.Linear(places, 96), nn.GELU(), nn.Linear(96, places))
        self.channels = nn.Sequential(nn.Linear(channels, 128), nn.GELU(), nn.Linear(128, channels))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.places(self.first(x).transpose(1, 2)).transpose(1, 2)
        result: Tensor = x + self.channels(self.second(x))
        return result


class _Places(nn.Module):
    """Feature maps (N, C, H, W) to (N, places, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


def mixer() -> nn.Sequential:
    """Patches of 4x4 pixels in three mixing layers: (N, 3, 64, 64) in [-1, 1] to (N, 1)."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 4, stride=4),
        _Places(),
        _Mixing(256, 64),
        _Mixing(256, 64),
        _Mixing(256, 64),
        nn.LayerNorm(64),
        nn.Linear(64, 4),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(1024, 1),
    )


ARCHITECTURES = {"convolutional": convolutional, "mixer": mixer}


class QualityScorer(nn.Module):
    """Pictures (N, 3, 64, 64) float32 in [0, 1] to scores (N,) in [0, 1]; differentiable."""

    def __init__(self, architecture: str) -> None:
        super().__init__()
        self.architecture = architecture
        self.body = ARCHITECTURES[architecture]()

    def forward(self, images: Tensor) -> Tensor:
        """Scores (N,). Raises ValueError for another picture size."""
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, SIZE_PX, SIZE_PX):
            raise ValueError(f"images have shape {tuple(images.shape)}, expected (N, 3, {SIZE_PX}, {SIZE_PX})")
        logit = self.body(images * 2 - 1)[:, 0]
        return torch.sigmoid(logit.to(torch.promote_types(logit.dtype, torch.float32)))

    @classmethod
    def load(cls, folder: str | Path) -> QualityScorer:
        """The scorer stored in `folder`, in evaluation mode. Raises WeightsChanged when a hash differs."""
        folder = Path(folder)
        model = cls(json.loads((folder / "config.json").read_text())["architecture"])
        model.load_state_dict(load_safetensors(folder), strict=False)  # without the batch counts, which nothing reads
        return model.eval().requires_grad_(False)

    def save(self, folder: str | Path) -> None:
        """Writes config.json and float16 weights into `folder`; the card is the recipe's to write."""
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = {"architecture": self.architecture, "size_px": SIZE_PX, "range": [0.0, 1.0]}
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        weights = {k: v for k, v in self.state_dict().items() if not k.endswith("num_batches_tracked")}
        save_file({k: v.half().contiguous() for k, v in weights.items()}, folder / "model.safetensors")
