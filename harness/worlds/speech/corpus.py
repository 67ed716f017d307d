"""Utterances of the speech world: which sentence, by which voice, how fast and over how much noise.

The sentences are cut into splits by a keyed order within each template, so the splits share no sentence while every
split has all templates. The rarer templates weigh more in tune and report than in training, as commands do
in use. Voice, rate and noise of an utterance come from its own key: utterance 7 is the same whatever the number asked
for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from harness.keys import generator
from harness.worlds.speech.grammar import templates

Split = Literal["training", "tune", "report"]
SPLITS: tuple[str, ...] = get_args(Split)

SEED = 0
"""Seed of the splits and of every utterance."""

POOL = {"tune": 100, "report": 300}
"""Sentences a template keeps aside for the tune and report splits, at most a third of it each; the rest trains."""

SIZES = {"training": 1600, "tune": 200, "report": 150}
"""Sentences of a split where nothing else is asked for."""

VOICES: tuple[str, ...] = ("en-us", "en-us+m3", "en-us+m8", "en-us+f1", "en-us+f4", "en-us+steph")
"""Voices and variants of espeak-ng. None with breath (f2, f3, f5): breath is drawn from libc's rand, a global state."""

RATES_WPM = (150, 200)
"""Range of speaking rates, words a minute."""

NOISES_DB: tuple[float | None, ...] = (None, 40.0, 30.0, 20.0)
"""Signal-to-noise ratios, each equally likely; None: no noise."""


@dataclass(frozen=True)
class Utterance:
    """One spoken sentence.

    name      unique within the world: split, sentence and variant
    text      lower-case words separated by one space, no punctuation
    voice     espeak-ng voice, or the speaker of a recording;  rate  words a minute, 0 where unknown
    noise_db  signal-to-noise ratio in decibel, None where no noise was added
    sentence  index of the sentence within its split: the cluster of its variants;  variant  index within the sentence
    path      recording on disk, "" for what is synthesised
    """

    name: str
    text: str
    voice: str
    rate: int
    noise_db: float | None
    sentence: int
    variant: int = 0
    path: str = ""


@lru_cache(maxsize=1)
def _splits() -> dict[str, tuple[str, ...]]:
    kept: dict[str, list[tuple[float, str]]] = {split: [] for split in SPLITS}
    for t, template in enumerate(templates()):
        sentences = template.sentences()
        order = generator(SEED, "split", "speech", t).permutation(len(sentences))
        tune = min(POOL["tune"], len(sentences) // 3)
        report = tune + min(POOL["report"], len(sentences) // 3)
        parts = {"tune": order[:tune], "report": order[tune:report], "training": order[report:]}
        for split, rows in parts.items():
            # the templates are interleaved evenly, so that the first n sentences show all of them alike
            kept[split] += [((i + (t + 1) / 5) / len(rows), sentences[row]) for i, row in enumerate(rows)]
    return {split: tuple(text for _, text in sorted(rows)) for split, rows in kept.items()}


def sentences(split: str) -> tuple[str, ...]:
    """All sentences of a split, in their keyed order. Raises KeyError for an unknown split."""
    return _splits()[split]


def utterance(split: str, sentence: int, variant: int = 0) -> Utterance:
    """Variant number `variant` of sentence number `sentence` of a split."""
    g = generator(SEED, "world", "speech", split, sentence, variant)
    voice = VOICES[int(g.integers(len(VOICES)))]
    rate = int(g.integers(RATES_WPM[0], RATES_WPM[1] + 1))
    noise = NOISES_DB[int(g.integers(len(NOISES_DB)))]
    text = sentences(split)[sentence]
    return Utterance(f"{split}-{sentence:04d}-{variant}", text, voice, rate, noise, sentence, variant)


def utterances(split: str, count: int | None = None, variants: int = 1) -> tuple[Utterance, ...]:
    """`variants` utterances of each of the first `count` sentences of a split (default `SIZES`).

    Raises KeyError for an unknown split, ValueError when the split has fewer sentences.
    """
    count = SIZES[split] if count is None else count
    if not 0 < count <= len(sentences(split)):
        raise ValueError(
            f"split {split!r} of the speech world has {len(sentences(split))} sentences, asked for {count}"
        )
    return tuple(utterance(split, i, v) for i in range(count) for v in range(variants))
