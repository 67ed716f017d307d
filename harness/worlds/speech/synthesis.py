"""Utterances to samples: espeak-ng, resampled to 16 kHz, between two short silences, with keyed noise."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.keys import generator
from harness.worlds.speech import espeak
from harness.worlds.speech.corpus import SEED, Utterance

RATE_HZ = 16_000
"""Sampling rate of all audio of the project's speech tasks."""

SILENCE_S = 0.12
"""Silence before and after the speech: the recognisers' feature normalisation and voice activity need some."""

FLOOR_DB = 50.0
"""Signal-to-noise ratio of an utterance without noise: a recording has a floor, and on digital silence the logarithms
of recognisers' front ends break down (measured: WER 0.55 on exact zeros, 0.03 over this floor)."""

PEAK = 0.5
"""Largest sample, as a share of full scale."""


def synthesise(utterance: Utterance) -> NDArray[np.int16]:
    """(T,) int16 at 16 kHz. Depends on nothing but the utterance. Raises EspeakError for an unknown voice."""
    from scipy.signal import resample_poly

    spoken = espeak.say(utterance.text, utterance.voice, utterance.rate).astype(np.float64)
    voiced = np.flatnonzero(np.abs(spoken) > 0.01 * np.abs(spoken).max(initial=1.0))
    if len(voiced):
        spoken = spoken[voiced[0] : voiced[-1] + 1]
    speech = np.asarray(resample_poly(spoken, 320, 441), dtype=np.float64)  # 22 050 · 320 / 441 = 16 000
    silence = np.zeros(round(SILENCE_S * RATE_HZ))
    wave = np.concatenate([silence, speech, silence])
    wave = wave + noise(len(wave), speech, utterance)
    wave *= PEAK / max(float(np.abs(wave).max(initial=0.0)), 1e-9)
    return np.asarray(np.round(wave * 32767), dtype=np.int16)


def noise(length: int, speech: NDArray[np.float64], utterance: Utterance) -> NDArray[np.float64]:
    """(length,) float64 Gaussian noise whose power lies `noise_db` decibel below that of `speech`, by name."""
    ratio = FLOOR_DB if utterance.noise_db is None else utterance.noise_db
    drawn = generator(SEED, "world", "speech-noise", utterance.name).standard_normal(length)
    power = float(np.mean(speech**2)) if len(speech) else 1.0
    return np.asarray(drawn * np.sqrt(power * 10 ** (-ratio / 10)), dtype=np.float64)


@lru_cache(maxsize=1)
def synthesiser_digest() -> str:
    """32 hex digits of the synthesiser (library and English voice data): another espeak speaks otherwise."""
    import espeakng_loader

    digest = hashlib.sha256(espeak.library().read_bytes())
    for name in ("en_dict", "phondata", "phonindex", "phontab", "intonations"):
        digest.update((Path(espeakng_loader.get_data_path()) / name).read_bytes())
    return digest.hexdigest()[:32]
