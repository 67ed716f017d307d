"""Two knobs on a log-mel spectrogram before a vocoder, such as an engineer would turn by hand against muffled speech.

`expansion` stretches each band about its mean over the utterance: training towards means flattens spectra. `tilt`
raises high bands against low ones, or the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.models.parameterisations.knob import Knob

KNOBS: dict[str, Knob] = {
    "expansion": Knob(default=0.0, low=-0.5, high=1.0, scale=0.2),
    "tilt": Knob(default=0.0, low=-2.0, high=2.0, scale=0.3),
}
"""expansion: share by which a band is stretched; tilt: nepers from the lowest band to the highest, half each way."""


def shaped(mel: Tensor, settings: Mapping[str, float]) -> Tensor:
    """Log-mel (bands, F), natural logarithm, after the knobs; the very tensor where both are at 0."""
    expansion, tilt = settings["expansion"], settings["tilt"]
    if expansion:
        mean = mel.mean(dim=1, keepdim=True)
        mel = mean + (1 + expansion) * (mel - mean)
    if tilt:
        mel = mel + tilt * torch.linspace(-0.5, 0.5, len(mel), device=mel.device)[:, None]
    return mel
