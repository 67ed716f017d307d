"""Log-mel spectrograms of 16 kHz audio, and the way back from mel bands to a magnitude spectrum.

Magnitude (not power) of a short-time Fourier transform under a Hann window, triangular filters on Slaney's mel scale,
each of area 1, then the natural logarithm. Parity of the filters: transformers.audio_utils.mel_filter_bank.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Frames:
    """How audio is cut: rate and band edges in Hz, lengths in samples.

    floor  smallest mel value before the logarithm, audio being in [-1, 1];  pad  what stands before and after the audio
    """

    rate_hz: int = 16_000
    fft: int = 512
    window: int = 512
    hop: int = 200
    bands: int = 48
    low_hz: float = 60.0
    high_hz: float = 7600.0
    floor: float = 1e-5
    pad: str = "constant"

    def frames_of(self, samples: int) -> int:
        """Frames of a signal of that many samples; the first is centred on sample 0."""
        return samples // self.hop + 1


def mel_of_hz(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's scale: linear below 1000 Hz (3 mel per 200 Hz), 27 logarithmic steps for each factor 6.4 above."""
    above = 15.0 + np.log(np.maximum(hz, 1.0) / 1000.0) * (27.0 / np.log(6.4))
    return np.asarray(np.where(hz < 1000.0, 3.0 * hz / 200.0, above), dtype=np.float64)


def hz_of_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of `mel_of_hz`."""
    return np.asarray(np.where(mel < 15.0, 200.0 * mel / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0)))


@lru_cache(maxsize=8)
def filters(frames: Frames) -> NDArray[np.float64]:
    """(fft // 2 + 1, bands) float64 triangles, each of area 1 over Hz (Slaney's normalisation)."""
    ends = mel_of_hz(np.array([frames.low_hz, frames.high_hz]))
    corners = hz_of_mel(np.linspace(ends[0], ends[1], frames.bands + 2))
    bins = np.linspace(0.0, frames.rate_hz / 2, frames.fft // 2 + 1)
    slopes = corners[None, :] - bins[:, None]
    rising = -slopes[:, :-2] / np.diff(corners)[:-1]
    falling = slopes[:, 2:] / np.diff(corners)[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * (2.0 / (corners[2:] - corners[:-2])), dtype=np.float64)


@lru_cache(maxsize=8)
def _inverse(frames: Frames) -> Tensor:
    """(bands, bins): the magnitude of least norm with the given bands; negative values are cut by the caller."""
    return torch.from_numpy(np.linalg.pinv(filters(frames))).float()


@lru_cache(maxsize=8)
def _filters(frames: Frames) -> Tensor:
    return torch.from_numpy(filters(frames)).float()


def window_of(frames: Frames, device: torch.device) -> Tensor:
    """The Hann window (window,) float32."""
    return torch.hann_window(frames.window, device=device)


def log_mel(audio: Tensor, frames: Frames) -> Tensor:
    """Log-mel (…, bands, F) float32 of audio (…, T) in [-1, 1], F = frames.frames_of(T)."""
    spectrum = torch.stft(
        audio,
        frames.fft,
        frames.hop,
        frames.window,
        window_of(frames, audio.device),
        center=True,
        pad_mode=frames.pad,
        return_complex=True,
    ).abs()
    bands = torch.einsum("...ft,fb->...bt", spectrum, _filters(frames).to(audio.device))
    return bands.clamp_min(frames.floor).log()


def magnitude(mel: Tensor, frames: Frames) -> Tensor:
    """Magnitude spectrum (…, fft // 2 + 1, F) float32, never negative, of log-mel (…, bands, F)."""
    return torch.einsum("...bt,bf->...ft", mel.exp(), _inverse(frames).to(mel.device)).clamp_min(0.0)
