"""An opened VqCodec: log-mel, codes, log-mel again, the two knobs, Griffin-Lim."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.models.parameterisations.knob import Knob
from harness.models.speech.griffin_lim import griffin_lim
from harness.models.speech.log_mel import log_mel, magnitude
from harness.models.speech.session import SpeechSession
from harness.models.speech.vq_codec import STRIDE, VqCodec

KNOBS: dict[str, Knob] = {
    "expansion": Knob(default=0.0, low=-0.5, high=1.0, scale=0.2),
    "tilt": Knob(default=0.0, low=-2.0, high=2.0, scale=0.3),
}
"""expansion: share by which a band's log-mel is stretched about its mean; tilt: nepers from the lowest band to the
highest, half up and half down. 0 leaves the log-mel untouched, bit for bit."""


class CodecSession(SpeechSession):
    """`codec` on `device`, with `iterations` rounds of Griffin-Lim."""

    def __init__(self, codec: VqCodec, device: str, iterations: int) -> None:
        blocks: dict[str, nn.Module] = {
            "enter": codec.enter,
            "context": codec.context,
            "rise_first": codec.rise_first,
            "middle": codec.middle,
            "rise_second": codec.rise_second,
            "refine": codec.refine,
            "to_mel": codec.to_mel,
        }
        layers: dict[str, nn.Module] = {
            "enter": codec.enter,
            "rise_first": codec.rise_first,
            "rise_second": codec.rise_second,
            "to_mel": codec.to_mel,
        }
        super().__init__(codec, device, blocks, layers, KNOBS)
        self.codec, self.iterations = codec, iterations

    def again(self, audio: Tensor) -> Tensor:
        frames = self.codec.frames
        mel = log_mel(audio, frames)
        count = mel.shape[1]
        whole = -(-count // STRIDE) * STRIDE
        padded = torch.cat([mel, mel[:, -1:].expand(-1, whole - count)], dim=1)
        decoded = self.codec.decode(self.codec.encode(padded[None]))[0, :, :count]
        return griffin_lim(magnitude(self.shaped(decoded), frames), frames, self.iterations, len(audio))

    def shaped(self, mel: Tensor) -> Tensor:
        """The log-mel (bands, F) after the knobs; itself where they are at their defaults."""
        expansion, tilt = self.settings["expansion"], self.settings["tilt"]
        if expansion:
            mean = mel.mean(dim=1, keepdim=True)
            mel = mean + (1 + expansion) * (mel - mean)
        if tilt:
            mel = mel + tilt * torch.linspace(-0.5, 0.5, len(mel), device=mel.device)[:, None]
        return mel
