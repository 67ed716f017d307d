"""The speech world: short commands from a small grammar, spoken by espeak-ng in several voices, rates and noises.

Rooms: `grammar` (the language), `corpus` (splits and utterances by key), `espeak` (the synthesiser), `synthesis`
(utterance to 16 kHz samples).
"""

from __future__ import annotations

from harness.worlds.speech.corpus import SIZES, SPLITS, VOICES, Utterance, sentences, utterance, utterances
from harness.worlds.speech.synthesis import RATE_HZ, synthesise, synthesiser_digest

__all__ = [
    "RATE_HZ",
    "SIZES",
    "SPLITS",
    "VOICES",
    "Utterance",
    "sentences",
    "synthesise",
    "synthesiser_digest",
    "utterance",
    "utterances",
]
