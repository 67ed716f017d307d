"""The feature extractor behind `fd.<name>`, precision, recall and Vendi on shipped models: pictures to vectors."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from harness.models.zoo.card import load_safetensors


class _Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(8, width),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(8, width),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.body(x)
        return result


class FeatureExtractor(nn.Module):
    """Pictures (N, 3, size_px, size_px) float32 in [0, 1] to features (N, D) float32.

    A residual net on non-overlapping patches; it shares neither architecture nor weights with `AttributeClassifier`.
    """

    def __init__(self, size_px: int = 64, dimension: int = 64, patch: int = 4, width: int = 48) -> None:
        super().__init__()
        self.size_px, self.dimension, self.patch, self.width = size_px, dimension, patch, width
        side = size_px // patch // 4
        self.body = nn.Sequential(
            nn.Conv2d(3, width, patch, stride=patch),
            _Residual(width),
            nn.Conv2d(width, width + 16, 2, stride=2),
            _Residual(width + 16),
            nn.Conv2d(width + 16, width + 16, 2, stride=2),
            _Residual(width + 16),
            nn.GroupNorm(8, width + 16),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear((width + 16) * side * side, dimension),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Features (N, D). Raises ValueError for another picture size."""
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, self.size_px, self.size_px):
            raise ValueError(
                f"images have shape {tuple(images.shape)}, expected (N, 3, {self.size_px}, {self.size_px})"
            )
        result: Tensor = self.body(images * 2 - 1)
        return result

    @torch.no_grad()
    def extract(self, images: Tensor, batch: int = 256) -> Tensor:
        """Features (N, D) float32 on the CPU, of pictures (N, 3, H, W) in [0, 1]."""
        self.eval()
        device = next(self.parameters()).device
        parts = [
            self(images[i : i + batch].to(device, torch.float32)).float().cpu() for i in range(0, len(images), batch)
        ]
        return torch.cat(parts) if parts else torch.empty(0, self.dimension)

    @classmethod
    def load(cls, folder: str | Path) -> FeatureExtractor:
        """The extractor stored in `folder`, in evaluation mode. Raises WeightsChanged when a hash differs."""
        folder = Path(folder)
        config = json.loads((folder / "config.json").read_text())
        model = cls(*(int(config[key]) for key in ("size_px", "dimension", "patch", "width")))
        model.load_state_dict(load_safetensors(folder))
        return model.eval().requires_grad_(False)

    def save(self, folder: str | Path) -> None:
        """Writes config.json and float16 weights into `folder`; the card is the recipe's to write."""
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "size_px": self.size_px,
            "range": [0.0, 1.0],
            "dimension": self.dimension,
            "patch": self.patch,
            "width": self.width,
        }
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        save_file({k: v.half().contiguous() for k, v in self.state_dict().items()}, folder / "model.safetensors")
