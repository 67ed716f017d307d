"""DINOv2 vision transformers through transformers: the class token after the last norm (arXiv 2304.07193).

Resize pil-bicubic-f32-aa to 224 x 224, levels / 255, ImageNet mean and deviation. dgm-eval, whose goldens are in
metrics.md, rounds the resized image to bytes first unless told otherwise: that is another resize and another id.
Source: hub ids facebook/dinov2-small, -base, -large; Apache-2.0. Their hashes are recorded, not published.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.models.extractors.declaration import Declaration, Forward
from harness.models.extractors.places import HubFolder
from harness.models.extractors.quiet import quiet
from harness.models.extractors.resize import Resize

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZES = {"s": ("small", 384), "b": ("base", 768), "l": ("large", 1024)}


def _declared(letter: str) -> Declaration:
    word, dimension = SIZES[letter]
    name = f"dinov2-vit-{letter}-14"
    return Declaration(
        name=name,
        summary=f"DINOv2 ViT-{letter.upper()}/14 class token (hub id facebook/dinov2-{word})",
        licence="Apache-2.0",
        weights=HubFolder(name, f"facebook/dinov2-{word}"),
        resize=Resize("pil-bicubic-f32-aa", 224),
        input="imagenet mean and deviation of x/255",
        layer="class token after the last norm",
        dimension=dimension,
        build="harness.models.extractors.dinov2:open_dinov2",
        batch=32,
    )


DINOV2 = tuple(_declared(letter) for letter in SIZES)


def open_dinov2(files: Mapping[str, Path], device: str, _: Declaration) -> Forward:
    """transformers' Dinov2Model; reads nothing but the given folder."""
    import torch
    from transformers import Dinov2Model

    folder = files["config.json"].parent
    with quiet():
        model = Dinov2Model.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    model = model.to(device).eval().requires_grad_(False)
    mean, deviation = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))

    def forward(levels: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = model(pixel_values=(levels / 255 - mean) / deviation).last_hidden_state[:, 0]
        return rows

    return forward
