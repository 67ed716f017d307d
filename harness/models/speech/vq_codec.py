"""A small neural codec: log-mel frames to one code of a small codebook every few frames, and back.

Convolutional encoder, vector quantiser with one codebook, convolutional decoder in named blocks. The last layer's
output channels are the mel bands. It loses intelligibility because the code has few bits and the training's squared
error rewards the mean of what a code may stand for, as in real codecs; what the shipped one suffers from besides stands
on its card.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from harness.models.speech.log_mel import Frames
from harness.models.zoo.card import load_safetensors

STRIDE = 4
"""Frames a code stands for."""


class _Residual(nn.Module):
    """Two convolutions over time around a shortcut; the second is dilated."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.GELU(),
            nn.Conv1d(width, width, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.body(x)
        return result


class Quantiser(nn.Module):
    """The nearest of K vectors. `codebook` (K, D); while training it follows means of what it is the nearest of."""

    codebook: Tensor

    def __init__(self, codes: int, dimension: int) -> None:
        super().__init__()
        self.register_buffer("codebook", torch.zeros(codes, dimension))

    def codes_of(self, x: Tensor) -> Tensor:
        """Index (N, F) int64 of the nearest vector for each of x (N, D, F)."""
        rows = x.movedim(1, 2)
        distance = self.codebook.square().sum(1) - 2 * rows @ self.codebook.T
        return distance.argmin(-1)

    def vectors_of(self, codes: Tensor) -> Tensor:
        """(N, D, F) of indices (N, F)."""
        return self.codebook[codes].movedim(2, 1)


class VqCodec(nn.Module):
    """Log-mel (N, bands, F) to codes (N, F / 4) and back; F is a multiple of 4."""

    mean: Tensor
    spread: Tensor

    def __init__(self, frames: Frames, codes: int = 16, width: int = 64, dimension: int = 16) -> None:
        super().__init__()
        self.frames, self.codes, self.width, self.dimension = frames, codes, width, dimension
        self.register_buffer("mean", torch.zeros(frames.bands, 1))
        self.register_buffer("spread", torch.ones(frames.bands, 1))
        self.encoder = nn.Sequential(
            nn.Conv1d(frames.bands, width, 5, padding=2),
            _Residual(width, 1),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
            _Residual(width, 1),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
            _Residual(width, 2),
            nn.GELU(),
            nn.Conv1d(width, dimension, 1),
        )
        self.quantiser = Quantiser(codes, dimension)
        self.enter = nn.Conv1d(dimension, width, 3, padding=1)
        self.context = _Residual(width, 2)
        self.rise_first = nn.ConvTranspose1d(width, width, 4, stride=2, padding=1)
        self.middle = _Residual(width, 2)
        self.rise_second = nn.ConvTranspose1d(width, width, 4, stride=2, padding=1)
        self.refine = _Residual(width, 2)
        self.to_mel = nn.Conv1d(width, frames.bands, 5, padding=2)

    def encode(self, mel: Tensor) -> Tensor:
        """Codes (N, F / 4) int64 of log-mel (N, bands, F)."""
        return self.quantiser.codes_of(self.encoder((mel - self.mean) / self.spread))

    def decode(self, codes: Tensor) -> Tensor:
        """Log-mel (N, bands, 4 F) of codes (N, F)."""
        return self.decode_vectors(self.quantiser.vectors_of(codes))

    def decode_vectors(self, vectors: Tensor) -> Tensor:
        """Log-mel (N, bands, 4 F) of code vectors (N, D, F)."""
        x = self.context(self.enter(vectors))
        x = self.middle(self.rise_first(x))
        x = self.refine(self.rise_second(x))
        result: Tensor = self.to_mel(nn.functional.gelu(x)) * self.spread + self.mean
        return result

    @property
    def bits_per_second(self) -> float:
        """Rate of the code, if every code were equally likely."""
        frames_per_second = self.frames.rate_hz / self.frames.hop
        return frames_per_second / STRIDE * float(torch.log2(torch.tensor(float(self.codes))))

    @classmethod
    def load(cls, folder: str | Path) -> VqCodec:
        """The codec stored in `folder`, in evaluation mode. Raises WeightsChanged when a hash differs."""
        folder = Path(folder)
        config = json.loads((folder / "config.json").read_text())
        model = cls(Frames(**config["frames"]), *(int(config[key]) for key in ("codes", "width", "dimension")))
        model.load_state_dict(load_safetensors(folder))
        return model.eval().requires_grad_(False)

    def save(self, folder: str | Path) -> None:
        """Writes config.json and float16 weights into `folder`; the card is the recipe's to write."""
        from dataclasses import asdict

        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = {
            "frames": asdict(self.frames),
            "codes": self.codes,
            "width": self.width,
            "dimension": self.dimension,
        }
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        save_file({k: v.half().contiguous() for k, v in self.state_dict().items()}, folder / "model.safetensors")
