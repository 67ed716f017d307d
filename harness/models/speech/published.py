"""Published speech models of transformers by directory or hub id: EnCodec codecs, and HiFi-GAN vocoders of log-mels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.models.model import Missing, Model, model
from harness.models.snapshot import Snapshot
from harness.options import option

if TYPE_CHECKING:
    from harness.models.speech.session import SpeechSession

INSTEAD = "model commands-codec, which is shipped"


class _Published(Model):
    """What the two share."""

    path: str
    revision: str | None

    def snapshot(self) -> Snapshot:
        """Where the checkpoint is."""
        return Snapshot(self.path, self.revision)

    def weights(self) -> Mapping[str, str]:
        return self.snapshot().hashes()

    def missing(self) -> tuple[Missing, ...]:
        return self.snapshot().missing(INSTEAD)

    def load(self, name: str) -> Any:
        """The network of transformers' class `name`, float32. Raises MissingWeights."""
        import torch
        import transformers

        from harness.models.extractors.quiet import quiet

        with quiet():
            return getattr(transformers, name).from_pretrained(
                self.snapshot().opened_at(), dtype=torch.float32, local_files_only=True
            )


@model("encodec")
@dataclass(frozen=True)
class Encodec(_Published):
    """EnCodec (arXiv 2210.13438): encode, quantise at a bandwidth, decode."""

    path: str = option("facebook/encodec_24khz", help="checkpoint directory, or hub id in the cache", in_id=False)
    revision: str | None = option(None, help="commit or tag of a hub id; a commit is the only exact one", in_id=False)
    bandwidth: float | None = option(
        None, unit="kbit/s", above=0, help="one of the checkpoint's bandwidths; default: its lowest", source="ours"
    )

    def open(self, device: str) -> SpeechSession:
        from harness.models.speech.encodec_session import EncodecSession

        return EncodecSession(self.load("EncodecModel"), device, self.bandwidth)


@model("hifigan")
@dataclass(frozen=True)
class HifiGan(_Published):
    """A HiFi-GAN of SpeechT5's kind (arXiv 2010.05646): the audio's own log-mel through the vocoder."""

    path: str = option("microsoft/speecht5_hifigan", help="checkpoint directory, or hub id in the cache", in_id=False)
    revision: str | None = option(None, help="commit or tag of a hub id; a commit is the only exact one", in_id=False)

    def open(self, device: str) -> SpeechSession:
        from harness.models.speech.hifigan_session import HifiGanSession

        return HifiGanSession(self.load("SpeechT5HifiGan"), device)
