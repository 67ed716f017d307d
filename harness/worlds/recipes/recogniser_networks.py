"""Architectures of the shipped face recognisers: pictures (N, 3, 112, 112) in [-1, 1] to embeddings (N, D).

Four families on purpose: what transfers between them, and what does not, is the matter of cloaking. They are small and
are shipped as ONNX graphs, so nothing but their recipe reads this file.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE_PX, DIMENSION = 112, 64


class _Block(nn.Module):
    """Residual block after ArcFace's: BN, 3x3 (stride), BN, PReLU, 3x3, BN; shortcut 1x1 where shapes differ."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(into),
            nn.Conv2d(into, out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.PReLU(out),
            nn.Conv2d(out, out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        same = stride == 1 and into == out
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.shortcut(x) + self.body(x)
        return result


def _head(width: int, side: int) -> nn.Sequential:
    """Global depthwise convolution (MobileFaceNet's) and a linear layer, instead of one large matrix."""
    return nn.Sequential(
        nn.Conv2d(width, width, side, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.Flatten(),
        nn.Linear(width, DIMENSION, bias=False),
        nn.BatchNorm1d(DIMENSION),
    )


def resnet() -> nn.Module:
    """A narrow IR-type ResNet."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.PReLU(16)]
    for into, out, stride in ((16, 24, 2), (24, 24, 1), (24, 48, 2), (48, 48, 1), (48, 80, 2), (80, 80, 1)):
        layers.append(_Block(into, out, stride))
    return nn.Sequential(*layers, _head(80, 7))


class _Bottleneck(nn.Module):
    """Inverted residual: 1x1 up, depthwise 3x3, 1x1 down, PReLU between."""

    def __init__(self, into: int, out: int, stride: int, expand: int = 2) -> None:
        super().__init__()
        wide = into * expand
        self.same = stride == 1 and into == out
        self.body = nn.Sequential(
            nn.Conv2d(into, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.PReLU(wide),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.PReLU(wide),
            nn.Conv2d(wide, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.body(x) if self.same else self.body(x)
        return result


def mobilenet() -> nn.Module:
    """MobileFaceNet's plan, narrower, and at a quarter of the side before its first depthwise convolution."""
    layers: list[nn.Module] = []
    for into, out in ((3, 16), (16, 32)):
        layers += [nn.Conv2d(into, out, 3, 2, 1, bias=False), nn.BatchNorm2d(out), nn.PReLU(out)]
    for into, out, stride in ((32, 32, 1), (32, 48, 2), (48, 48, 1), (48, 64, 2), (64, 64, 1)):
        layers.append(_Bottleneck(into, out, stride))
    return nn.Sequential(*layers, _head(64, 7))


class _Encoder(nn.Module):
    """Pre-norm transformer layer, written out so that its graph has plain operators only."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(self.before(x)).chunk(3, dim=2)

        def split(y: Tensor) -> Tensor:
            return y.reshape(-1, y.shape[1], self.heads, self.width // self.heads).transpose(1, 2)

        weights = (split(query) @ split(key).transpose(2, 3) / (self.width // self.heads) ** 0.5).softmax(3)
        x = x + self.join((weights @ split(value)).transpose(1, 2).flatten(2))
        result: Tensor = x + self.mlp(self.after(x))
        return result


class _Transformer(nn.Module):
    """A ViT on patches of 14 px: 64 tokens, learned positions, the mean of tokens."""

    def __init__(self, width: int = 80, depth: int = 4, heads: int = 4, patch: int = 14) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.position = nn.Parameter(0.02 * torch.randn(1, (SIZE_PX // patch) ** 2, width))
        self.layers = nn.Sequential(*(_Encoder(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, DIMENSION)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.position
        result: Tensor = self.out(self.norm(self.layers(tokens)).mean(1))
        return result


def vit() -> nn.Module:
    """A small vision transformer."""
    return _Transformer()


def cnn() -> nn.Module:
    """A plain stack of convolutions and poolings, without shortcuts."""
    layers: list[nn.Module] = []
    for into, out in ((3, 16), (16, 32), (32, 64), (64, 96)):
        layers += [
            nn.Conv2d(into, out, 5 if into == 3 else 3, 2 if into == 3 else 1, 2 if into == 3 else 1, bias=False)
        ]
        layers += [nn.BatchNorm2d(out), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(96 * 3 * 3, DIMENSION, bias=False), nn.BatchNorm1d(DIMENSION))


class _Weak(nn.Module):
    """An old design: grey, 28 px, two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 12, 5, 2, 2), nn.Tanh(), nn.Conv2d(12, 24, 5, 2, 2), nn.Tanh(), nn.Flatten()
        )
        self.out = nn.Linear(24 * 7 * 7, DIMENSION)

    def forward(self, x: Tensor) -> Tensor:
        grey = functional.avg_pool2d(x.mean(1, keepdim=True), 4)
        result: Tensor = self.out(self.body(grey))
        return result


def weak() -> nn.Module:
    """Declared weak."""
    return _Weak()


ARCHITECTURES = {"resnet": resnet, "mobilenet": mobilenet, "vit": vit, "cnn": cnn, "small-cnn": weak}
