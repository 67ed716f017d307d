"""pocketsphinx as a judge: US English acoustic model of the wheel, and a grammar or an n-gram model to listen with.

Two recognisers of the commands differ in all that can differ over one acoustic model, so that what a search learns of
one need not help the other:

sphinx-commands  the grammar of the commands as a finite-state search: it hears nothing but commands
sphinx-open      a bigram model of the training sentences in the n-gram search: it hears any order of the words; noise
                 removal off and shorter windows in its front end

Decoders carry state from one utterance to the next (noise estimates, means of features: measured, 5 of 60 transcripts
depended on the order), so the front end is made anew before each; a test compares with fresh decoders.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.models.judges.judge import Judge, Opened, judge
from harness.models.model import Missing, MissingWeights
from harness.models.weights import sha256
from harness.options import option

COMMANDS, COMMANDS_BIGRAM, ENGLISH = "commands", "commands-bigram", "english"
GRAMMARS = (".jsgf", ".gram")


@dataclass(frozen=True)
class _Listening(Judge):
    reads: ClassVar[tuple[str, ...]] = ("audio",)

    language: str = option(
        COMMANDS, help="commands, commands-bigram, english (the wheel's n-gram model), or a .jsgf, .lm or .lm.bin file"
    )
    remove_noise: bool = option(True, help="noise removal of the front end", source="the acoustic model's feat.params")
    window_s: float = option(0.025625, unit="s", above=0.01, at_most=0.05, help="analysis window", source="sphinx's")
    language_weight: float = option(6.5, above=0, help="weight of language against sound", source="sphinx's default")
    beam: float = option(1e-48, above=0, below=1, help="states and phones kept while searching", source="sphinx's")

    def digest(self) -> str:
        if absent := self.missing():
            raise MissingWeights(absent)
        acoustic = {p.name: sha256(p) for p in sorted(_acoustic().iterdir()) if p.is_file()}
        facts = [version("pocketsphinx"), acoustic, sha256(_dictionary()), self._language_digest()]
        return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()

    def _language_digest(self) -> str:
        found = _language(self.language)
        return sha256(found) if isinstance(found, Path) else hashlib.sha256(found[1].encode()).hexdigest()

    def missing(self) -> tuple[Missing, ...]:
        found = _language(self.language)
        if isinstance(found, Path) and not found.is_file():
            fetch = "put a JSGF grammar or an n-gram model there"
            return (Missing(f"language of {self.name}", (self.language,), fetch, "judge sphinx-commands"),)
        return ()

    def open(self, device: str) -> Opened:  # noqa: ARG002 - it listens on the CPU
        if absent := self.missing():
            raise MissingWeights(absent)
        return Listener(self)


@judge("sphinx", version=1)
@dataclass(frozen=True)
class Sphinx(_Listening):
    """pocketsphinx with any grammar or n-gram model."""


@judge("sphinx-commands", version=1)
@dataclass(frozen=True)
class SphinxCommands(_Listening):
    """The grammar of the commands."""


@judge("sphinx-open", version=1)
@dataclass(frozen=True)
class SphinxOpen(_Listening):
    """A bigram model of the commands' training sentences, and another front end."""

    language: str = option(COMMANDS_BIGRAM, help="as of sphinx")
    remove_noise: bool = option(False, help="noise removal of the front end", source="ours: unlike sphinx-commands")
    window_s: float = option(
        0.022, unit="s", above=0.01, at_most=0.05, help="analysis window", source="ours: unlike sphinx-commands"
    )


class Listener:
    """Opened recogniser: arrays "audio" (n, T) int16 at 16 kHz and "lengths" (n,) → {"text": (n,) str}. Thread-safe."""

    def __init__(self, said: _Listening) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sphinx-")
        self._arguments = _arguments(said, Path(self._folder.name))
        self._idle: SimpleQueue[Any] = SimpleQueue()

    def __call__(
        self,
        artifacts: Mapping[str, NDArray[Any]],
        facts: Sequence[Mapping[str, Any]],  # noqa: ARG002 - it knows nothing but the sound
    ) -> dict[str, NDArray[Any]]:
        try:
            decoder = self._idle.get_nowait()
        except Empty:
            decoder = _decoder(self._arguments)
        try:
            rows = zip(artifacts["audio"], artifacts["lengths"].tolist(), strict=True)
            texts = [heard(decoder, wave[:length]) for wave, length in rows]
        finally:
            self._idle.put(decoder)
        return {"text": np.array(texts, dtype=np.str_)}


def heard(decoder: Any, wave: NDArray[np.int16]) -> str:
    """Words of one utterance, "" where nothing was understood."""
    if len(wave) == 0:
        return ""
    decoder.reinit_feat()
    decoder.start_utt()
    decoder.process_raw(np.ascontiguousarray(wave, dtype="<i2").tobytes(), no_search=False, full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return "" if found is None else str(found.hypstr)


def _decoder(arguments: Mapping[str, Any]) -> Any:
    import pocketsphinx

    return pocketsphinx.Decoder(**arguments)


def _model(path: str) -> Path:
    import pocketsphinx

    return Path(pocketsphinx.get_model_path(path))


def _acoustic() -> Path:
    return _model("en-us/en-us")


def _dictionary() -> Path:
    return _model("en-us/cmudict-en-us.dict")


def _language(name: str) -> Path | tuple[str, str]:
    """A file, or the file name and text of what is made here."""
    from harness.worlds.speech import grammar, sentences

    if name == COMMANDS:
        return "commands.jsgf", grammar.jsgf()
    if name == COMMANDS_BIGRAM:
        from harness.models.judges.bigram import arpa, bigram

        return "commands.lm", arpa(bigram(sentences("training")))
    return _model("en-us/en-us.lm.bin") if name == ENGLISH else Path(name).expanduser()


def _arguments(said: _Listening, folder: Path) -> dict[str, Any]:
    """Arguments of the decoder; files that it needs are written into `folder`."""
    found, dictionary = _language(said.language), _dictionary()
    if isinstance(found, tuple):
        (folder / found[0]).write_text(found[1])
        found = folder / found[0]
        dictionary = folder / "words.dict"  # only the commands' words: the others could not be said anyway
        dictionary.write_text(restricted(_dictionary().read_text(encoding="utf-8")))
    # what the acoustic model's own file says wins over arguments, so the front end is changed in a copy of it
    stated = dict(line.split() for line in (_acoustic() / "feat.params").read_text().splitlines() if line.strip())
    stated |= {"-remove_noise": "yes" if said.remove_noise else "no", "-wlen": repr(said.window_s)}
    (folder / "feat.params").write_text("".join(f"{k} {v}\n" for k, v in stated.items()))
    grammar = found.suffix in GRAMMARS
    return {
        "hmm": str(_acoustic()),
        "dict": str(dictionary),
        "featparams": str(folder / "feat.params"),
        "jsgf" if grammar else "lm": str(found),
        **({"lm": None} if grammar else {}),
        "lw": said.language_weight,
        "beam": said.beam,
        "pbeam": said.beam,
        "bestpath": False,
        "fwdflat": False,
        "loglevel": "FATAL",
    }


def restricted(dictionary: str) -> str:
    """The lines of a CMU dictionary that pronounce words of the commands."""
    from harness.worlds.speech.grammar import vocabulary

    words = set(vocabulary())
    return "".join(f"{line}\n" for line in dictionary.splitlines() if line.split("(")[0].split()[0] in words)
