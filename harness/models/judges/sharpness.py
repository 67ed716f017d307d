"""Sharpness without any weights: how much blurring an image again takes away of its edges.

Per axis, with |S| Sobel edges and S' those after a mean filter of `width` pixels along it: B = 1 - sum max(0, |S| -
|S'|) / sum |S|, without a border of two pixels; an image is as blurred as its worse axis, and the score is 1 - max B.
Source: Crete et al., "The blur effect", SPIE 6492 (2007), doi 10.1117/12.702790; scikit-image's blur_effect is 1 - this
(1e-9). It knows edges only: noise and checkerboards are sharp.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.models.judges import pictures
from harness.models.judges.judge import Judge, Opened, judge
from harness.options import option

LUMA = np.array([0.2125, 0.7154, 0.0721])


def blur_effect(gray: NDArray[np.float64], width: int) -> float:
    """B of an image (H, W), the larger of both axes; 1 for an image without edges."""
    from scipy import ndimage

    found = []
    for axis in (0, 1):
        sharp, dull = (
            np.maximum(np.abs(_edges(x, axis)), np.spacing(1.0))[2:-1, 2:-1]
            for x in (gray, ndimage.uniform_filter1d(gray, width, axis=axis))
        )
        lost = np.maximum(0.0, sharp - dull).sum()
        found.append(float(1.0 - lost / sharp.sum()))
    return max(found)


def _edges(image: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Sobel's filter along `axis`, its weights summing to 1 on each side."""
    from scipy import ndimage

    steps = ndimage.correlate1d(image, np.array([-0.5, 0.0, 0.5]), axis=axis, mode="reflect")
    smooth: NDArray[np.float64] = ndimage.correlate1d(steps, np.array([0.25, 0.5, 0.25]), axis=1 - axis, mode="reflect")
    return smooth


@judge("sharpness")
@dataclass(frozen=True)
class Sharpness(Judge):
    """Share of an image's edges that blurring it again takes away."""

    width: int = option(11, unit="px", at_least=2, help="mean filter", source="doi 10.1117/12.702790")

    reads: ClassVar[tuple[str, ...]] = ("images",)

    def digest(self) -> str:
        return "0" * 32  # no weights: name, version and options say everything

    def open(self, device: str) -> Opened:  # noqa: ARG002 - it runs on the processor
        def read(artifacts: Mapping[str, NDArray[Any]], _facts: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
            images = pictures.of(artifacts)
            found = [1.0 - blur_effect(image.astype(np.float64) @ LUMA / 255, self.width) for image in images]
            return {"score": np.array(found, dtype=np.float32)}

        return read
