"""What an opened speech model is: it says utterances again, one at a time, at 16 kHz and with their length.

Utterances never share a batch, so that a result depends neither on its neighbours nor on how long they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.models.determinism import full_precision
from harness.models.parameterisations.knob import Knob

RATE_HZ = 16_000
"""Sampling rate of the audio that all speech models take and give."""


class SpeechSession(ABC):
    """An opened speech model. See harness/models/parameterisations/parameterisation.py for what may be moved in it.

    module  the network;  device  where it runs;  blocks, layers, knobs  what parameterisations may move, by name
    """

    bias_size = 0
    logit_bias: Tensor | None = None

    def __init__(
        self,
        module: nn.Module,
        device: str,
        blocks: Mapping[str, nn.Module],
        layers: Mapping[str, nn.Module],
        knobs: Mapping[str, Knob],
    ) -> None:
        self.module = module.to(device).eval().requires_grad_(False)
        self.device, self.blocks, self.layers, self.knobs = device, blocks, layers, knobs
        self.settings = {name: knob.default for name, knob in knobs.items()}

    @abstractmethod
    def again(self, audio: Tensor) -> Tensor:
        """One utterance (T,) float32 in [-1, 1] at 16 kHz, said again: (at least T - 1 hop,) float32."""

    def resynthesise(self, audio: NDArray[np.int16], lengths: NDArray[np.int64]) -> NDArray[np.int16]:
        """Utterances (n, T) int16 of which the first `lengths` (n,) samples count: the same shape, the rest zero.

        Raises ValueError for other shapes or types, and for lengths beyond T.
        """
        if audio.ndim != 2 or audio.dtype != np.int16 or lengths.shape != audio.shape[:1]:
            what = f"{audio.dtype} {audio.shape} with lengths {lengths.shape}"
            raise ValueError(f"audio is {what}, expected int16 (n, T) with lengths (n,)")
        if len(lengths) and (int(lengths.min()) < 0 or int(lengths.max()) > audio.shape[1]):
            raise ValueError(f"a length lies outside 0 … {audio.shape[1]}")
        result = np.zeros_like(audio)
        with torch.inference_mode(), full_precision(self.device):
            for row, (wave, length) in enumerate(zip(audio, lengths.tolist(), strict=True)):
                if length:
                    said = self.again(torch.from_numpy(wave[:length].astype(np.float32) / 32768).to(self.device))
                    samples = (said[:length].clamp(-1, 1) * 32767).round().to(torch.int16).cpu().numpy()
                    result[row, : len(samples)] = samples
        return result
