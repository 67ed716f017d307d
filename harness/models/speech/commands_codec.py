"""commands-codec: the shipped codec of spoken commands, with Griffin-Lim as its vocoder.

Two knobs act on the decoded log-mel before the vocoder; both are what an engineer would try by hand against the muffled
sound of a codec. `expansion` stretches each band about its mean over the utterance (training towards means flattens the
spectrum); `tilt` raises or lowers high bands against low ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.models.model import Missing, MissingWeights, Model, model
from harness.models.weights import sha256
from harness.models.zoo import entry
from harness.models.zoo.card import read_card
from harness.options import option

if TYPE_CHECKING:
    from harness.models.speech.session import SpeechSession

NAME = "commands-codec"


@model("commands-codec")
@dataclass(frozen=True)
class CommandsCodec(Model):
    """Spoken commands through one code of a small codebook every 50 ms, and back."""

    iterations: int = option(
        6,
        unit="rounds",
        at_least=0,
        help="rounds of Griffin-Lim",
        source="ours: recognisers hear no difference between 0 and 32 rounds, listeners do up to about 6",
    )

    def directory(self) -> Path:
        """The folder of weights and card."""
        return entry(NAME).directory

    @property
    def licence(self) -> str:
        return str(read_card(self.directory())["licence"]) if not self.missing() else "unknown"

    def weights(self) -> Mapping[str, str]:
        if absent := self.missing():
            raise MissingWeights(absent)
        return {name: sha256(self.directory() / name) for name in ("config.json", "model.safetensors")}

    def missing(self) -> tuple[Missing, ...]:
        where = f"harness/models/zoo/{NAME}"
        names = ("card.json", "config.json", "model.safetensors")
        absent = [name for name in names if not (self.directory() / name).is_file()]
        return tuple(Missing(f"{name} of {NAME}", (where,), f"harness zoo train {NAME}") for name in absent)

    def settings(self) -> dict[str, Any]:
        return {"iterations": self.iterations}

    def open(self, device: str) -> SpeechSession:
        if absent := self.missing():
            raise MissingWeights(absent)
        from harness.models.speech.codec_session import CodecSession
        from harness.models.speech.vq_codec import VqCodec

        return CodecSession(VqCodec.load(self.directory()), device, self.iterations)
