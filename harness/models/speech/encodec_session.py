"""An opened EnCodec checkpoint. Its convolutions carry their plain weights: weight normalisation is folded in, because
gains on a weight that is computed from others at every call would have no effect.
"""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from harness.models.speech.session import RATE_HZ, SpeechSession


def plain_weights(module: nn.Module) -> None:
    """Folds weight normalisation of every layer into its weight; outputs stay the same up to rounding."""
    for part in module.modules():
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight")


def resampled(audio: Tensor, before_hz: int, after_hz: int) -> Tensor:
    """Audio (T,) at another rate, by a polyphase filter in double precision on the CPU; itself at the same rate."""
    if before_hz == after_hz:
        return audio
    from scipy.signal import resample_poly

    common = gcd(before_hz, after_hz)
    wave = resample_poly(audio.cpu().double().numpy(), after_hz // common, before_hz // common)
    return torch.from_numpy(np.asarray(wave, dtype=np.float32)).to(audio.device)


class EncodecSession(SpeechSession):
    """`network` (transformers.EncodecModel) at `bandwidth` kbit/s, None: its lowest. Raises ValueError for another."""

    def __init__(self, network: Any, device: str, bandwidth: float | None) -> None:
        known = [float(b) for b in network.config.target_bandwidths]
        if bandwidth is not None and bandwidth not in known:
            raise ValueError(f"this checkpoint has no bandwidth {bandwidth}; one of {', '.join(map(str, known))}")
        plain_weights(network)
        blocks: dict[str, nn.Module] = {}
        layers: dict[str, nn.Module] = {}
        for number, part in enumerate(network.decoder.layers):
            kind = type(part).__name__.removeprefix("Encodec")
            if kind in ("Conv1d", "ConvTranspose1d", "ResnetBlock", "LSTM"):
                blocks[f"{number}-{kind}"] = part
            if kind in ("Conv1d", "ConvTranspose1d"):
                layers[f"{number}-{kind}"] = part.conv
        super().__init__(network, device, blocks, layers, {})
        self.network, self.bandwidth = network, min(known) if bandwidth is None else bandwidth

    def again(self, audio: Tensor) -> Tensor:
        config = self.network.config
        wave = resampled(audio, RATE_HZ, config.sampling_rate)[None, None].expand(1, config.audio_channels, -1)
        encoded = self.network.encode(wave, bandwidth=self.bandwidth, return_dict=True)
        decoded = self.network.decode(encoded.audio_codes, encoded.audio_scales, return_dict=True).audio_values
        mono = decoded[0].mean(0)[: wave.shape[-1]]
        return resampled(mono, config.sampling_rate, RATE_HZ)
