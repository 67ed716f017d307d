"""The attribute classifier: which class of each attribute a picture shows. A small net with many heads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from harness.models.zoo.card import load_safetensors


class AttributeClassifier(nn.Module):
    """Pictures (N, 3, size_px, size_px) float32 in [0, 1] to one distribution over classes an attribute.

    classes: attribute name -> class names, in the order of the probabilities.
    """

    def __init__(
        self, classes: Mapping[str, tuple[str, ...]], size_px: int = 64, widths: tuple[int, ...] = (24, 48, 64, 80)
    ) -> None:
        super().__init__()
        self.classes = {name: tuple(labels) for name, labels in classes.items()}
        self.size_px = size_px
        self.widths = tuple(widths)
        layers: list[nn.Module] = []
        before = 3
        for width in self.widths:
            layers += [nn.Conv2d(before, width, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.body = nn.Sequential(*layers)
        side = size_px >> len(self.widths)
        self.join = nn.Sequential(nn.Flatten(), nn.Dropout(0.15), nn.Linear(before * side * side, 160), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Linear(160, len(labels)) for name, labels in self.classes.items()})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Attribute name -> logits (N, K). Raises ValueError for another picture size."""
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, self.size_px, self.size_px):
            raise ValueError(
                f"images have shape {tuple(images.shape)}, expected (N, 3, {self.size_px}, {self.size_px})"
            )
        hidden = self.join(self.body(images * 2 - 1))
        return {name: head(hidden) for name, head in self.heads.items()}

    @torch.no_grad()
    def predict(self, images: Tensor, batch: int = 256) -> dict[str, Tensor]:
        """Attribute name -> probabilities (N, K) float32 on the CPU, of pictures (N, 3, H, W) in [0, 1]."""
        self.eval()
        device = next(self.parameters()).device
        parts = [self(images[i : i + batch].to(device, torch.float32)) for i in range(0, len(images), batch)]
        return {name: torch.cat([p[name].float().softmax(1).cpu() for p in parts]) for name in self.classes}

    @classmethod
    def load(cls, folder: str | Path) -> AttributeClassifier:
        """The classifier stored in `folder`, in evaluation mode. Raises WeightsChanged when a hash differs."""
        folder = Path(folder)
        config = json.loads((folder / "config.json").read_text())
        classes = {name: tuple(labels) for name, labels in config["classes"].items()}
        model = cls(classes, int(config["size_px"]), tuple(config["widths"]))
        model.load_state_dict(load_safetensors(folder))
        return model.eval().requires_grad_(False)

    def save(self, folder: str | Path) -> None:
        """Writes config.json and float16 weights into `folder`; the card is the recipe's to write."""
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = {"size_px": self.size_px, "range": [0.0, 1.0], "widths": self.widths, "classes": self.classes}
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        state = {k: v.half().contiguous() if v.is_floating_point() else v for k, v in self.state_dict().items()}
        save_file(state, folder / "model.safetensors")
