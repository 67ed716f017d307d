"""What a network must state before its features may carry a name: weights, input, resize, layer, dimension, licence.

Everything stated here that changes a feature enters the digest, which names features in the store and in metric ids.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.models.extractors.places import Weights
from harness.models.extractors.resize import Resize
from harness.models.model import MissingWeights

if TYPE_CHECKING:
    import torch

Forward = Callable[["torch.Tensor"], "torch.Tensor"]
TextForward = Callable[[tuple[str, ...]], tuple[NDArray[np.float32], NDArray[np.bool_]]]


@dataclass(frozen=True)
class Declaration:
    """One network over images.

    name       in metric ids;  summary  one line for listings;  licence  of the weights
    weights    its files;  resize  uint8 images to its input, in levels 0 … 255
    input      what it does to those levels before its first layer, in words
    layer      which activation is the feature;  dimension  its length D
    build      "module:function" (files, device, declaration) → (n, 3, H, W) float32 levels → (n, D) float32
    text       the same for its text tower, (texts) → (P, D) float32 and (P,) whether a text was cut; "" without one
    batch      images a pass;  version  bump when the same files give other features
    instead    the shipped way to ask the same question
    """

    name: str
    summary: str
    licence: str
    weights: Weights
    resize: Resize
    input: str
    layer: str
    dimension: int
    build: str
    text: str = ""
    batch: int = 64
    version: int = 1
    instead: str = "the shipped features `avatars`"

    @property
    def digest(self) -> str:
        """32 hexadecimal digits naming weights and protocol; reads no file whose hash is published."""
        facts = [self.weights.hashes(), str(self.resize), self.input, self.layer, self.dimension, self.version]
        return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()

    @property
    def protocol(self) -> tuple[tuple[str, str], ...]:
        """Fields of a metric id that say in words how images are read."""
        return (("resize", str(self.resize)), ("layer", self.layer))

    def paths(self) -> Mapping[str, Path]:
        """The verified files. Raises MissingWeights, or WeightsDiffer when a file is not the published one."""
        missing = self.weights.missing(self.instead)
        if missing is not None:
            raise MissingWeights((missing,))
        self.weights.verify()
        return self.weights.files() or {}

    def open(self, device: str) -> Forward:
        """The network on `device`, its output checked: (n, D) of the declared D. Raises as `paths` does."""
        forward: Forward = _function(self.build)(self.paths(), device, self)

        def checked(levels: torch.Tensor) -> torch.Tensor:
            rows = forward(levels)
            if rows.ndim != 2 or tuple(rows.shape) != (len(levels), self.dimension):
                raise ValueError(
                    f"{self.name} gave features of shape {tuple(rows.shape)} for {len(levels)} images,"
                    f" declared is (N, {self.dimension})"
                )
            return rows.float()

        return checked

    def open_text(self, device: str) -> TextForward:
        """The text tower. Raises as `paths` does, and ValueError where the network has none."""
        if not self.text:
            raise ValueError(f"{self.name} reads no text")
        forward: TextForward = _function(self.text)(self.paths(), device, self)
        return forward


def _function(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found
