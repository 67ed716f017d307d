"""Utterances with their texts, by split: the world's commands, or a user's folder in LibriSpeech layout.

LibriSpeech layout is `speaker/chapter/speaker-chapter-number.flac` (or .wav) beside `speaker-chapter.trans.txt`, whose
lines are "id TEXT". Speakers are cut into splits, so that no voice and no text of a speaker is in both; a folder that
holds `tune/` and `report/` is read as it is cut. Audio becomes 16 kHz, one channel, 16 bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.keys import digest, generator
from harness.worlds import speech

COMMANDS = "commands"
TUNE_SHARE = 0.3
"""Share of a folder's speakers that tune; our choice: the report needs the narrower interval."""


class UtterancesError(ValueError):
    """A folder that is not in LibriSpeech layout, or a split that it does not have."""


def load_utterances(source: str, split: str) -> tuple[dict[str, Any], ...]:
    """The utterances of "tune" or "report" (or "training" of the commands), in an order drawn by their names.

    So that the first so many are a sample of the split, and not one speaker.

    Each is a mapping: name, reference (the text), audio (T,) int16 at 16 kHz, speaker, sentence (index of the text
    within the split). Raises UtterancesError.
    """
    if source == COMMANDS:
        if split not in speech.SPLITS:
            raise UtterancesError(f"the commands have no split {split!r}; one of {', '.join(speech.SPLITS)}")
        return _commands(split)
    found = sorted(recordings(source, split), key=lambda u: digest(0, "split", "order", u.name))
    return tuple(_facts(u) for u in found)


def recordings(folder: str, split: str) -> tuple[speech.Utterance, ...]:
    """The recordings of a folder's split, not yet read, by speaker, chapter and number. Raises UtterancesError."""
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise UtterancesError(f"no folder {root}; utterances are {COMMANDS!r} or a folder in LibriSpeech layout")
    cut = {name: root / name for name in ("tune", "report") if (root / name).is_dir()}
    if split not in ("tune", "report"):
        raise UtterancesError(f"a folder of recordings has the splits tune and report, not {split!r}")
    if cut and len(cut) < 2:
        raise UtterancesError(f"{root} has a folder {next(iter(cut))!r} but not its counterpart")
    found = tuple(_layout(cut[split] if cut else root))
    if not found:
        raise UtterancesError(f"{root}: no speaker/chapter/*.trans.txt with texts of recordings")
    if not cut:
        kept = speakers_of({u.voice for u in found}, split)
        found = tuple(u for u in found if u.voice in kept)
    texts: dict[str, int] = {}
    return tuple(
        speech.Utterance(u.name, u.text, u.voice, 0, None, texts.setdefault(u.text, len(texts)), 0, u.path)
        for u in found
    )


def speakers_of(speakers: set[str], split: str) -> set[str]:
    """The speakers of a split, by a keyed order of their names. Raises UtterancesError below two speakers."""
    if len(speakers) < 2:
        raise UtterancesError(
            f"{len(speakers)} speaker cannot be cut in two splits: add speakers, or make folders tune/ and report/"
        )
    order = generator(0, "split", "speakers").permutation(len(speakers))
    names = [sorted(speakers)[i] for i in order]
    tune = min(max(1, round(TUNE_SHARE * len(names))), len(names) - 1)
    return set(names[:tune] if split == "tune" else names[tune:])


def read_audio(path: Path) -> NDArray[np.int16]:
    """(T,) int16 at 16 kHz of a .flac or .wav file: channels averaged, polyphase resampling. Raises UtterancesError."""
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise UtterancesError(f"{path}: {error}") from error
    mono = samples.mean(axis=1)
    if rate != speech.RATE_HZ:
        from math import gcd

        from scipy.signal import resample_poly

        common = gcd(int(rate), speech.RATE_HZ)
        mono = resample_poly(mono, speech.RATE_HZ // common, int(rate) // common)
    return np.asarray(np.round(np.clip(mono, -1.0, 32767 / 32768) * 32768), dtype=np.int16)


def _layout(root: Path) -> Iterator[speech.Utterance]:
    for listed in sorted(root.glob("*/*/*.trans.txt")):
        for number, line in enumerate(listed.read_text(encoding="utf-8").splitlines(), start=1):
            name, _, text = line.strip().partition(" ")
            if not name:
                continue
            paths = [listed.parent / f"{name}{suffix}" for suffix in (".flac", ".wav")]
            path = next((p for p in paths if p.is_file()), None)
            if path is None or not text.strip():
                what = "no recording" if path is None else "no text"
                raise UtterancesError(f"{listed}, line {number}: {what} of {name!r}")
            yield speech.Utterance(name, text.strip(), listed.parent.parent.name, 0, None, 0, 0, str(path))


@lru_cache(maxsize=3)
def _commands(split: str) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "name": u.name,
            "reference": u.text,
            "audio": speech.synthesise(u),
            "speaker": u.voice,
            "sentence": u.sentence,
        }
        for u in speech.utterances(split)
    )


def _facts(read: speech.Utterance) -> dict[str, Any]:
    return {
        "name": read.name,
        "reference": read.text,
        "audio": read_audio(Path(read.path)),
        "speaker": read.voice,
        "sentence": read.sentence,
    }
