"""Small networks for small pictures: a perceptron, a residual network, and ResNet-18 in its form for 32×32 pictures.

ResNets: He et al., arXiv 1512.03385; the CIFAR form of ResNet-18 has a 3×3 stem of stride 1 and no pooling after it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3×3 convolutions and a way around them, 1×1 where size or width change."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.around = nn.Sequential()
        if stride != 1 or before != width:
            self.around = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))
        return functional.relu(y + self.around(x))


def resnet(channels: int, classes: int, widths: Sequence[int], depths: Sequence[int]) -> nn.Module:
    """A residual network without pooling in the stem; stage i has depths[i] blocks of widths[i] channels."""
    layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0])]
    layers.append(nn.ReLU())
    before = widths[0]
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        for i in range(depth):
            layers.append(Block(before, width, 2 if stage and i == 0 else 1))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


def perceptron(inputs: int, classes: int, width: int) -> nn.Module:
    """Two layers with a rectifier between them."""
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, classes))


class Normalised(nn.Module):
    """A network behind the normalisation of its data: pixels in [0, 1] in, float32 logits out.

    mean, std (C,) of the training pixels are buffers, so that a method may change pixels in their own units.
    """

    def __init__(self, body: nn.Module, mean: Tensor, std: Tensor, precision: str = "float32") -> None:
        super().__init__()
        self.body, self.precision = body, precision
        self.register_buffer("mean", mean.reshape(1, -1, 1, 1).float())
        self.register_buffer("std", std.reshape(1, -1, 1, 1).float())
        self.mean: Tensor
        self.std: Tensor

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels (n, C, H, W) float32 in [0, 1] → logits (n, K) float32."""
        scaled = (pixels - self.mean) / self.std
        with torch.autocast(scaled.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits: Tensor = self.body(scaled)
        return logits.float()
