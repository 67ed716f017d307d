"""A torch module as a TorchScript file with a declared preprocessing: MagFace, AdaFace, FaceNet, one's own.

HARNESS_WEIGHTS/NAME.recogniser.yaml:

    recogniser: torchscript-file
    file: adaface-ir50.pt
    order: bgr
    align: arcface112

A module is written by torch.jit.trace(module.eval(), example).save(path). A TorchScript file is a program: declare only
one that you trust. Pickled modules are not read: they run code on loading.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from harness.models.faces.embedder import NetworkFile
from harness.models.faces.embedding import Network


@dataclass(frozen=True, kw_only=True)
class TorchscriptFile(NetworkFile):
    """A user's TorchScript file: (n, 3, side, side) → (n, D)."""

    kind: ClassVar[str] = "torchscript-file"
    batch: ClassVar[int] = 8

    def network(self, device: str, *, gradient: bool) -> Network:  # noqa: ARG002 - one module for both
        import torch

        load: Callable[..., Any] = torch.jit.load
        module = load(str(self.path), map_location=device).eval()
        for weight in module.parameters():
            weight.requires_grad_(False)
        made: Network = module
        return made
