"""Griffin-Lim with momentum: audio whose short-time spectrum has a wanted magnitude.

Alternates between the spectra with that magnitude and the spectra of real signals (Griffin and Lim 1984), with the
accelerated step of Perraudin, Balazs and Søndergaard 2013. The start phase comes from a key and is the same for every
utterance, frame by frame.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from harness.keys import generator
from harness.models.speech.log_mel import Frames, window_of

MOMENTUM = 0.99
"""Acceleration of Perraudin et al., the value they recommend."""


@lru_cache(maxsize=8)
def _phases(frames: int, bins: int) -> Tensor:
    """(bins, frames) complex64 of modulus 1; more frames extend fewer."""
    angle = generator(0, "init_noise", "griffin-lim", bins).random((frames, bins)) * 2 * np.pi
    return torch.from_numpy(np.exp(1j * angle).T.astype(np.complex64)).contiguous()


def griffin_lim(magnitude: Tensor, frames: Frames, iterations: int, samples: int) -> Tensor:
    """Audio (samples,) float32 of a magnitude spectrum (bins, F), after `iterations` ≥ 0 rounds."""
    bins, count = magnitude.shape
    block = -(-count // 256) * 256
    phase = _phases(block, bins)[:, :count].to(magnitude.device)
    window = window_of(frames, magnitude.device)
    previous = torch.zeros_like(phase)
    for _ in range(iterations):
        audio = torch.istft(magnitude * phase, frames.fft, frames.hop, frames.window, window, length=samples)
        rebuilt = torch.stft(
            audio,
            frames.fft,
            frames.hop,
            frames.window,
            window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )[:, :count]
        ahead = rebuilt + MOMENTUM * (rebuilt - previous)
        phase = ahead / ahead.abs().clamp_min(1e-12)
        previous = rebuilt
    return torch.istft(magnitude * phase, frames.fft, frames.hop, frames.window, window, length=samples)
