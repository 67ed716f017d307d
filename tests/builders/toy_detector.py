"""A detector in the format of SCRFD (nine outputs, strides 8, 16, 32) that finds white squares on the grid of 8 px.

Every white cell is a "face" whose box reaches 4 cells around it and whose points are ArcFace's, scaled into that box.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from harness.data.face_geometry import ARCFACE

REACH = 4.0  # strides from the cell's corner to each side of the box
POINTS = (ARCFACE / 112 - 0.5) * 2 * REACH  # strides from the cell's corner


def save_detector(path: Path) -> Path:
    """Writes the network."""
    import torch
    from torch import nn

    class Toy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("points", torch.from_numpy(POINTS.astype(np.float32)).reshape(1, 10))

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            scores, boxes, points = [], [], []
            for stride in (8, 16, 32):
                cells = torch.nn.functional.avg_pool2d(x.mean(1, keepdim=True), stride).reshape(-1, 1)
                first = torch.relu(cells - 0.9) * (10.0 if stride == 8 else 0.0)  # white is (255 - 127.5) / 128
                pair = torch.cat([first, first * 0], 1).reshape(-1, 1)  # two anchors a cell
                scores.append(pair)
                boxes.append(torch.ones(1, 4) * REACH + pair * 0)
                points.append(self.points + pair * 0)
            return (*scores, *boxes, *points)

    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Toy().eval(),
            (torch.zeros(1, 3, 64, 64),),
            str(path),
            input_names=["input"],
            output_names=[f"o{i}" for i in range(9)],
            dynamic_axes={"input": {2: "h", 3: "w"}},
            opset_version=17,
            dynamo=False,
        )
    return path


def with_squares(*corners: tuple[int, int], size: int = 128) -> np.ndarray:
    """(size, size, 3) uint8: dim slopes with white cells at these corners (x, y), multiples of 8."""
    at = np.linspace(20, 120, size)
    image = np.stack([at[None] + 0 * at[:, None], at[:, None] + 0 * at[None], 60 + 0.3 * (at[None] + at[:, None])], -1)
    for x, y in corners:
        image[y : y + 8, x : x + 8] = 255
    return image.astype(np.uint8)
