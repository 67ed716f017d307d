"""An opened HiFi-GAN vocoder of SpeechT5's kind: log-mel of the audio as its feature extractor makes it, then audio."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from harness.models.speech.encodec_session import plain_weights
from harness.models.speech.log_mel import Frames, log_mel
from harness.models.speech.session import RATE_HZ, SpeechSession
from harness.models.speech.shaping import KNOBS, shaped

SPEECHT5 = Frames(fft=1024, window=1024, hop=256, bands=80, low_hz=80.0, high_hz=7600.0, floor=1e-10, pad="reflect")
"""What SpeechT5FeatureExtractor computes; it takes the logarithm to base 10. Parity is a test."""


class HifiGanSession(SpeechSession):
    """`network` (transformers.SpeechT5HifiGan). Raises ValueError for one of another rate, hop or number of bands."""

    def __init__(self, network: Any, device: str) -> None:
        config = network.config
        found = (config.sampling_rate, config.model_in_dim, math.prod(config.upsample_rates))
        if found != (RATE_HZ, SPEECHT5.bands, SPEECHT5.hop):
            wanted = f"{RATE_HZ} Hz, {SPEECHT5.bands} bands and {SPEECHT5.hop} samples a frame"
            raise ValueError(
                f"the vocoder has {found[0]} Hz, {found[1]} bands and {found[2]} samples; needed: {wanted}"
            )
        plain_weights(network)
        rises = {f"upsampler_{i}": layer for i, layer in enumerate(network.upsampler)}
        layers: dict[str, nn.Module] = {"conv_pre": network.conv_pre, **rises, "conv_post": network.conv_post}
        super().__init__(network, device, dict(layers), layers, KNOBS)
        self.network = network

    def again(self, audio: Tensor) -> Tensor:
        if len(audio) <= SPEECHT5.fft // 2:  # too short to be reflected
            return audio.new_zeros(len(audio))
        mel = shaped(log_mel(audio, SPEECHT5), self.settings)
        wave: Tensor = self.network(mel.T / math.log(10))
        return wave
