"""Discriminators: small heads on the features of a frozen network (arXiv 2111.01007), and one on pixels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from harness.models.features import FeatureExtractor

TAPS = (1, 3, 5)  # of the extractor's body: 16x16, 8x8 and 4x4 places
SHIFT_PX, HOLE_PX = 6, 20


def _conv(width: int, out: int, side: int, stride: int = 1) -> nn.Module:
    module: nn.Module = spectral_norm(nn.Conv2d(width, out, side, stride=stride, padding=(side - 1) // 2))
    return module


class Heads(nn.Module):
    """One verdict a place at three depths of a frozen extractor, and one on its embedding: (N, verdicts)."""

    def __init__(self, extractor: FeatureExtractor, width: int = 64) -> None:
        super().__init__()
        self.extractor = [extractor]  # in a list: its weights are not among the parameters
        channels = (extractor.width, extractor.width + 16, extractor.width + 16)
        self.heads = nn.ModuleList(
            nn.Sequential(
                _conv(c, width, 1),
                nn.LeakyReLU(0.2),
                _conv(width, width, 3),
                nn.LeakyReLU(0.2),
                _conv(width, 1, 3),
                nn.Flatten(),
            )
            for c in channels
        )
        d = extractor.dimension
        self.whole = nn.Sequential(
            spectral_norm(nn.Linear(d, 128)), nn.LeakyReLU(0.2), spectral_norm(nn.Linear(128, 1))
        )

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps at `TAPS` and the embedding (N, D), of pictures (N, 3, 64, 64) in [0, 1]."""
        x, found = images * 2 - 1, []
        for i, layer in enumerate(self.extractor[0].body):
            x = layer(x)
            if i in TAPS:
                found.append(x)
        return [*found, x]

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Verdicts (N, places) by depth, of `features`."""
        maps = [head(f) for head, f in zip(self.heads, features[:-1], strict=True)]
        return [*maps, self.whole(features[-1])]


class Pixels(nn.Module):
    """One verdict for each of 8x8 places of a picture, knowing the spread of its group of four: (N, 64), N = 4 m."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(12, width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, width * 2, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width * 2, width * 3, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        )
        self.verdict = nn.Sequential(
            nn.Conv2d(width * 3 + 1, width * 3, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(width * 3, 1, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        x = self.body(images * 2 - 1)
        groups = x.float().unflatten(0, (-1, 4))
        apart = (groups - groups.mean(1, keepdim=True)).square().mean(1)
        spread = (apart + 1e-8).sqrt().mean((1, 2, 3))
        column = spread.repeat_interleave(4)[:, None, None, None].to(x.dtype)
        x = torch.cat([x, column.expand(-1, 1, *x.shape[2:])], dim=1)
        result: Tensor = self.verdict(x).flatten(1)
        return result


def augment(images: Tensor, g: np.random.Generator) -> Tensor:
    """Shifted, relit pictures with a gray square each: differentiable, drawn for real and generated ones alike."""
    n, _, h, w = images.shape
    padded = functional.pad(images, (SHIFT_PX,) * 4, mode="replicate")
    dy, dx = (int(v) for v in g.integers(0, 2 * SHIFT_PX + 1, size=2))
    out = padded[:, :, dy : dy + h, dx : dx + w]
    light = torch.from_numpy(g.uniform(-0.1, 0.1, (n, 3, 1, 1)).astype(np.float32))
    out = out + light
    if g.random() < 0.5:
        return out
    top, left = (torch.from_numpy(g.integers(0, s - HOLE_PX, n))[:, None, None] for s in (h, w))
    y, x = torch.arange(h)[None, :, None], torch.arange(w)[None, None]
    hole = (y >= top) & (y < top + HOLE_PX) & (x >= left) & (x < left + HOLE_PX)
    return out.masked_fill(hole[:, None], 0.5)


def slope(discriminator: Pixels, images: Tensor) -> Tensor:
    """R1: mean squared gradient of the mean verdict with respect to real pictures (arXiv 1801.04406)."""
    images = images.detach().requires_grad_()
    verdict = discriminator(images).mean(1).sum()
    (gradient,) = torch.autograd.grad(verdict, images, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()
