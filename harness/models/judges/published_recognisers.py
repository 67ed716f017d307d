"""Published recognisers of transformers as judges, by directory or hub id: Whisper and wav2vec 2.0.

Utterances are read one at a time, greedily and in float32, so that a transcript depends on its utterance alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.models.judges.judge import Judge, Opened, judge
from harness.models.model import Missing
from harness.models.snapshot import Snapshot
from harness.options import option

RATE_HZ = 16_000
TOKENIZERS = ("tokenizer.json", "vocab.json")
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
INSTEAD = "judge sphinx-open, which needs no download"


class _Published(Judge):
    """What the two share."""

    reads: ClassVar[tuple[str, ...]] = ("audio",)
    path: str
    revision: str | None

    def snapshot(self) -> Snapshot:
        """Where the checkpoint is."""
        return Snapshot(self.path, self.revision, beside=(TOKENIZERS, PROCESSORS))

    def missing(self) -> tuple[Missing, ...]:
        return self.snapshot().missing(INSTEAD)

    def digest(self) -> str:
        text = json.dumps(self.snapshot().hashes(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def load(self, network: str, processor: str, device: str) -> tuple[Any, Any]:
        """(network, processor) of transformers' classes. Raises MissingWeights."""
        import torch
        import transformers

        from harness.models.extractors.quiet import quiet

        folder = self.snapshot().opened_at()
        with quiet():
            prepare = getattr(transformers, processor).from_pretrained(folder, local_files_only=True)
            found = getattr(transformers, network).from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        return found.to(device).eval().requires_grad_(False), prepare


def listener(hear: Callable[[NDArray[np.float32]], str], device: str) -> Opened:
    """Audio (n, T) int16 with lengths (n,) → {"text": (n,) str}; `hear` reads one utterance (T,) in [-1, 1]."""

    def listen(artifacts: Mapping[str, NDArray[Any]], _facts: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
        import torch

        from harness.models.determinism import full_precision

        texts = []
        with torch.inference_mode(), full_precision(device):
            for wave, length in zip(artifacts["audio"], artifacts["lengths"].tolist(), strict=True):
                texts.append(hear(wave[:length].astype(np.float32) / 32768) if length else "")
        return {"text": np.array(texts, dtype=np.str_)}

    return listen


@judge("whisper", version=1)
@dataclass(frozen=True)
class Whisper(_Published):
    """Whisper (arXiv 2212.04356), greedy, without timestamps; audio beyond 30 s is cut, as by its own front end."""

    path: str = option("openai/whisper-base.en", help="checkpoint directory, or hub id in the cache", in_id=False)
    revision: str | None = option(None, help="commit or tag of a hub id; a commit is the only exact one", in_id=False)
    language: str | None = option(None, help="language of a multilingual checkpoint; None for an English-only one")
    longest: int = option(128, unit="tokens", at_least=1, help="longest transcript", source="ours: commands are short")

    def open(self, device: str) -> Opened:
        import torch

        network, processor = self.load("WhisperForConditionalGeneration", "WhisperProcessor", device)
        spoken = {} if self.language is None else {"language": self.language, "task": "transcribe"}

        def hear(wave: NDArray[np.float32]) -> str:
            features = processor.feature_extractor(wave, sampling_rate=RATE_HZ, return_tensors="pt").input_features
            said = network.generate(
                features.to(device, torch.float32),
                do_sample=False,
                num_beams=1,
                max_new_tokens=self.longest,
                **spoken,
            )
            text: str = processor.tokenizer.decode(said[0], skip_special_tokens=True)
            return text.strip()

        return listener(hear, device)


@judge("wav2vec2", version=1)
@dataclass(frozen=True)
class Wav2Vec2(_Published):
    """wav2vec 2.0 with a CTC head (arXiv 2006.11477): the most likely character of every frame, repeats merged."""

    path: str = option("facebook/wav2vec2-base-960h", help="checkpoint directory, or hub id in the cache", in_id=False)
    revision: str | None = option(None, help="commit or tag of a hub id; a commit is the only exact one", in_id=False)

    def open(self, device: str) -> Opened:
        network, processor = self.load("Wav2Vec2ForCTC", "Wav2Vec2Processor", device)
        # the tokenizer's own skipping of marks drops the blanks too, before repeats are merged: hello became helo
        tokenizer = processor.tokenizer
        blank = tokenizer.pad_token_id
        marks = set(tokenizer.all_special_ids) - {tokenizer.word_delimiter_token_id}

        def hear(wave: NDArray[np.float32]) -> str:
            values = processor.feature_extractor(wave, sampling_rate=RATE_HZ, return_tensors="pt").input_values
            if values.shape[-1] < _shortest(network.config):
                return ""
            best = network(values.to(device)).logits.argmax(-1)[0]
            text: str = tokenizer.decode([blank if c in marks else c for c in best.tolist()])
            return text.strip()

        return listener(hear, device)


def _shortest(config: Any) -> int:
    """Samples that one frame needs: shorter audio has nothing to be read from."""
    need = 1
    for kernel, stride in reversed(list(zip(config.conv_kernel, config.conv_stride, strict=True))):
        need = (need - 1) * stride + kernel
    return int(need)
