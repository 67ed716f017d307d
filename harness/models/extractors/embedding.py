"""Copy-detection embeddings as TorchScript files: SSCD (arXiv 2202.10261), and a user's own under a declared name.

SSCD: shortest side 288 by Pillow's bilinear on bytes, levels / 255, ImageNet mean and deviation; 512 numbers of unit
length. Its authors count DISC pairs with a cosine above .75 as copies (90 % precision).
A user's own: HARNESS_WEIGHTS/NAME.embedding.yaml with the keys of `OwnEmbedding`, and the file it names beside it. A
TorchScript file is a program: declare only one that you trust. With the key `checkpoint` it declares a network of
transformers instead (harness/models/extractors/checkpoint.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.metrics.embeddings import SUFFIX, own_names, weights_folder
from harness.models.extractors.checkpoint import OwnCheckpoint
from harness.models.extractors.declaration import Declaration, Forward
from harness.models.extractors.places import PublishedFile
from harness.models.extractors.resize import Resize, Rule
from harness.options import build, option

IMAGENET = "imagenet mean and deviation of x/255"
_BUILD = "harness.models.extractors.embedding:open_torchscript"
SSCD = (
    Declaration(
        name="sscd-disc-mixup",
        summary="SSCD copy-detection embedding, ResNet-50 trained on DISC with mixup",
        licence="CC BY-NC 4.0",
        weights=PublishedFile(
            "sscd_disc_mixup.torchscript.pt",
            "https://dl.fbaipublicfiles.com/sscd-copy-detection/sscd_disc_mixup.torchscript.pt",
        ),
        resize=Resize("pil-bilinear-u8-aa", 288, edge="shortest"),
        input=IMAGENET,
        layer="descriptor",
        dimension=512,
        build=_BUILD,
    ),
)
INPUTS = {
    "imagenet": IMAGENET,
    "unit": "x/255",
    "signed": "2x/255-1",
    "levels": "x",
}


@dataclass(frozen=True)
class OwnEmbedding:
    """What NAME.embedding.yaml states. The network maps (n, 3, H, W) float32 to (n, dimension)."""

    file: str = option(help="TorchScript file in the weights folder")
    dimension: int = option(help="length of the embedding", at_least=1)
    size: int = option(help="px of the resized side", at_least=1)
    sha256: str = option("", help="of the file; recorded where it is left out")
    resize: Rule = option("pil-bicubic-f32-aa", help="rule of the resize")
    edge: Literal["square", "shortest"] = option("square", help="both sides, or the shorter one")
    input: Literal["imagenet", "unit", "signed", "levels"] = option("imagenet", help="what is done to levels 0 … 255")
    licence: str = option("unknown", help="of the weights")
    summary: str = option("a TorchScript embedding of the user", help="one line for listings")

    def declared(self, name: str) -> Declaration:
        return Declaration(
            name=name,
            summary=self.summary,
            licence=self.licence,
            weights=PublishedFile(self.file, "(its own source)", self.sha256),
            resize=Resize(self.resize, self.size, edge=self.edge),
            input=INPUTS[self.input],
            layer="output",
            dimension=self.dimension,
            build=_BUILD,
        )


def own_embeddings() -> Iterator[Declaration]:
    """The user's declarations. Raises ValueError naming the file and every key that is wrong."""
    import yaml

    for name in own_names():
        path = weights_folder() / f"{name}{SUFFIX}"
        try:
            stated = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            yield build(OwnCheckpoint if "checkpoint" in stated else OwnEmbedding, stated).declared(name)
        except (ValueError, TypeError, AttributeError, OSError, yaml.YAMLError) as error:
            raise ValueError(f"{path}: {error}") from error


def open_torchscript(files: Mapping[str, Path], device: str, declared: Declaration) -> Forward:
    """A TorchScript module from prepared images to rows."""
    import torch

    from harness.models.extractors.dinov2 import DEVIATION, MEAN

    (path,) = files.values()
    network: Any = torch.jit.load(str(path), map_location=device).eval()  # type: ignore[no-untyped-call]
    scale, shift = torch.ones(1, 3, 1, 1), torch.zeros(1, 3, 1, 1)
    if declared.input == IMAGENET:
        scale, shift = (torch.tensor(v).view(1, 3, 1, 1) for v in (DEVIATION, MEAN))
    elif declared.input == INPUTS["signed"]:
        scale, shift = scale / 2, shift + 0.5
    top = 1.0 if declared.input == INPUTS["levels"] else 255.0
    scale, shift = scale.to(device), shift.to(device)

    def forward(levels: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = network((levels / top - shift) / scale)
        return rows

    return forward
