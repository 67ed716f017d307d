"""A user's own image scorer as a TorchScript file: KonCept512, NIMA, or whatever maps an image to a number.

Declared in HARNESS_WEIGHTS/NAME.judge.yaml, which names it for suites and metrics (`quality.NAME`):

    judge: torchscript-scorer
    file: koncept512.torchscript.pt
    height: 384
    width: 512
    input: imagenet
    low: 0
    high: 100

The network maps (n, 3, height, width) float32 to (n,) or (n, 1); scores are brought from [low, high] to [0, 1], higher
better, `high` below `low` where lower is better. A TorchScript file is a program: declare only one that you trust.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.embeddings import weights_folder
from harness.models.extractors.dinov2 import DEVIATION, MEAN
from harness.models.judges import pictures
from harness.models.judges.judge import Judge, Opened, judge
from harness.models.model import Missing, MissingWeights
from harness.models.weights import sha256
from harness.options import option

INPUTS = {  # what is done to levels / 255 before the network: mean and deviation of each channel
    "imagenet": (MEAN, DEVIATION),
    "unit": ((0.0,) * 3, (1.0,) * 3),
    "signed": ((0.5,) * 3, (0.5,) * 3),
    "levels": ((0.0,) * 3, (1 / 255,) * 3),
}


@judge("torchscript-scorer")
@dataclass(frozen=True)
class TorchScriptScorer(Judge):
    """A TorchScript file from images to scores."""

    file: str = option(help="TorchScript file in the weights folder, or a path")
    height: int = option(help="height of its input", unit="px", at_least=1)
    width: int = option(help="width of its input", unit="px", at_least=1)
    input: Literal["imagenet", "unit", "signed", "levels"] = option("imagenet", help="range of its input")
    low: float = option(0.0, help="its score that becomes 0")
    high: float = option(1.0, help="its score that becomes 1; below `low` where lower is better")
    batch: int = option(8, unit="images", at_least=1, help="images a pass", in_id=False)

    reads: ClassVar[tuple[str, ...]] = ("images",)

    def __post_init__(self) -> None:
        if self.low == self.high:
            raise ValueError(f"low and high are both {self.low:g}: the score would have no range")

    @property
    def path(self) -> Path:
        """Where the file is looked for."""
        return weights_folder() / Path(self.file).expanduser()

    def digest(self) -> str:
        found = sha256(self.path) if self.path.is_file() else "absent"
        return hashlib.blake2b(found.encode(), digest_size=16).hexdigest()

    def missing(self) -> tuple[Missing, ...]:
        if self.path.is_file():
            return ()
        return (
            Missing(
                self.file, (str(self.path),), f"copy the file to {self.path}", "the shipped judge avatars-quality-a"
            ),
        )

    def open(self, device: str) -> Opened:
        scorer = self.gradient(device)

        def read(artifacts: Mapping[str, NDArray[Any]], _facts: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
            images = pictures.of(artifacts)
            found = pictures.rows(lambda levels: scorer(levels / 255), images, device, batch=self.batch)
            score: NDArray[np.float32] = found.numpy().astype(np.float32)
            if not np.isfinite(score).all():
                raise ValueError(f"{self.file} gave scores that are not finite")
            return {"score": score}

        return read

    def gradient(self, device: str) -> Callable[[Any], Any]:
        """Resized by torch's antialiased bicubic, which gradients pass."""
        if missing := self.missing():
            raise MissingWeights(missing)
        import torch

        network: Any = torch.jit.load(str(self.path), map_location=device).eval()  # type: ignore[no-untyped-call]
        mean, deviation = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in INPUTS[self.input])
        size = (self.height, self.width)

        def score(images: Any) -> Any:
            if tuple(images.shape[2:]) != size:
                images = torch.nn.functional.interpolate(
                    images, size=size, mode="bicubic", antialias=True, align_corners=False
                ).clamp(0.0, 1.0)
            found = network((images - mean) / deviation)
            if tuple(found.shape) not in ((len(images),), (len(images), 1)):
                raise ValueError(
                    f"{self.file} gave scores of shape {tuple(found.shape)} for {len(images)} images, expected (n,)"
                )
            return (found.reshape(-1) - self.low) / (self.high - self.low)

        return score
