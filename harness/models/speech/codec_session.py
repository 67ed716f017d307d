"""An opened VqCodec: log-mel, codes, log-mel again, the two knobs, Griffin-Lim."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.models.speech.griffin_lim import griffin_lim
from harness.models.speech.log_mel import log_mel, magnitude
from harness.models.speech.session import SpeechSession
from harness.models.speech.shaping import KNOBS, shaped
from harness.models.speech.vq_codec import STRIDE, VqCodec


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
        return griffin_lim(magnitude(shaped(decoded, self.settings), frames), frames, self.iterations, len(audio))
