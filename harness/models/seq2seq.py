"""Sequence-to-sequence models of transformers: any checkpoint by directory or hub id, and the shipped programs-t5.

Nothing is downloaded and no code of a checkpoint runs: what is missing is named, with the command that fetches it.
"""

from __future__ import annotations

import json
import os
import re
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.models.diffusion.directory import weight_files
from harness.models.model import Missing, MissingWeights, Model, model
from harness.models.weights import sha256
from harness.options import option

if TYPE_CHECKING:
    from harness.models.translator import Translator

Dtype = Literal["float32", "float16", "bfloat16"]
ZOO = Path(__file__).parent / "zoo"
HUB_CACHE = "~/.cache/huggingface"
# what a tokenizer and a configuration are read from, beside the weights
READ = (".json", ".txt", ".model")


class Checkpoint(Model):
    """A directory as `save_pretrained` of transformers writes it. Subclasses say where, and carry the options below."""

    max_length: int
    max_source: int
    beams: int
    batch: int
    prefix: str
    dtype: Dtype
    start: str | None = None

    @abstractmethod
    def directory(self) -> Path | None:
        """Where the files are, or None."""

    def files(self) -> dict[str, Path]:
        """The files that loading reads, by name. Raises MissingWeights."""
        root = self.directory()
        if root is None or self.missing():
            raise MissingWeights(self.missing())
        read = [p for p in sorted(root.glob("*")) if p.suffix in READ and p.name != "card.json"]
        return {p.name: p for p in (*read, *weight_files(root, None))}

    def weights(self) -> dict[str, str]:
        return {name: sha256(path) for name, path in self.files().items()}

    def open(self, device: str) -> Translator:
        root = self.directory()
        if root is None or self.missing():
            raise MissingWeights(self.missing())
        import torch
        import transformers.utils.logging as log
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        from harness.models.translator import Translator

        before, bars = log.get_verbosity(), log.is_progress_bar_enabled()
        log.set_verbosity_error()  # progress and hints are the engine's to show
        log.disable_progress_bar()
        try:
            tokenizer = AutoTokenizer.from_pretrained(root, local_files_only=True)
            network = AutoModelForSeq2SeqLM.from_pretrained(
                root, dtype=getattr(torch, self.dtype), local_files_only=True
            )
        finally:
            log.set_verbosity(before)
            if bars:
                log.enable_progress_bar()
        return Translator(
            network,
            tokenizer,
            device=device,
            max_length=self.max_length,
            max_source=self.max_source,
            beams=self.beams,
            batch=self.batch,
            prefix=self.prefix,
            start=self._start(tokenizer),
        )

    def _start(self, tokenizer: Any) -> int | None:
        if self.start is None:
            return None
        known = tokenizer.get_vocab()
        if self.start not in known:
            raise ValueError(f"the tokenizer has no token {self.start!r} to start with")
        return int(known[self.start])


def lacking(root: Path) -> tuple[str, ...]:
    """What a checkpoint directory lacks: config.json, a tokenizer, weights or some of their shards."""
    result = []
    if not (root / "config.json").is_file():
        result.append("config.json")
    if not any(
        (root / name).is_file() for name in ("tokenizer.json", "vocab.json", "spiece.model", "sentencepiece.bpe.model")
    ):
        result.append("a tokenizer")
    names = [p.name for p in weight_files(root, None)]
    shards = [int(m[1]) for name in names if (m := re.search(r"-of-(\d{5})\.", name))]
    if not names or (shards and len(names) < max(shards)):
        result.append("weights")
    return tuple(result)


@model("seq2seq")
@dataclass(frozen=True)
class Seq2Seq(Checkpoint):
    """A checkpoint that AutoModelForSeq2SeqLM reads: T5, CodeT5, PLBART, BART, …"""

    path: str = option(help="checkpoint directory, or hub id (owner/name) already in the local cache", in_id=False)
    revision: str | None = option(None, help="commit or tag of a hub id; a commit is the only exact one", in_id=False)
    max_length: int = option(256, unit="tokens", at_least=1, help="longest translation", source="ours")
    max_source: int = option(512, unit="tokens", at_least=1, help="sources are cut here", source="CodeT5, PLBART: 512")
    beams: int = option(1, at_least=1, help="beams of the untouched model; 1 = greedy", source="ours")
    batch: int = option(32, unit="rows", at_least=1, help="rows of every network call", source="ours")
    prefix: str = option("", help="text before every source, where a checkpoint wants one")
    start: str | None = option(None, help="token that decoding starts with (PLBART: __python__); default: the model's")
    dtype: Dtype = option("float32", help="precision of weights and network calls")

    @property
    def hub_id(self) -> str | None:
        """owner/name, where `path` is one and no directory."""
        local = Path(self.path).expanduser()
        return self.path if not local.exists() and re.fullmatch(r"[\w.-]+/[\w.-]+", self.path) else None

    def directory(self) -> Path | None:
        local = Path(self.path).expanduser()
        if local.is_dir():
            return local
        if self.hub_id is None:
            return None
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            return Path(snapshot_download(self.path, revision=self.revision, local_files_only=True))
        except (LocalEntryNotFoundError, OSError, ValueError):
            return None

    def missing(self) -> tuple[Missing, ...]:
        root, instead = self.directory(), "model programs-t5, which is shipped"
        if root is None:
            looked = [f"directory {self.path}"]
            if self.hub_id is not None:
                looked.append(f"hub cache {os.environ.get('HF_HUB_CACHE') or os.environ.get('HF_HOME') or HUB_CACHE}")
            return (Missing(f"checkpoint {self.path!r}", tuple(looked), self._fetch(), instead),)
        return tuple(Missing(f"{what} of {self.path}", (str(root),), self._fetch(), instead) for what in lacking(root))

    def _fetch(self) -> str:
        if self.hub_id is None:
            return f"put a checkpoint directory (config.json, weights, tokenizer) at {self.path}"
        revision = f" --revision {self.revision}" if self.revision else ""
        return (
            f"hf download {self.path}{revision} (where there is a network; then copy the folder here, "
            "and name it with --set model.path=FOLDER)"
        )

    @property
    def licence(self) -> str:
        root = self.directory()
        card = None if root is None else root / "README.md"
        if card is None or not card.is_file():
            return "unknown"
        stated = re.search(r"^license(?:_name)?:\s*(\S+)", card.read_text(errors="replace"), re.MULTILINE)
        return stated[1] if stated else "unknown"


@model("programs-t5")
@dataclass(frozen=True)
class ProgramsT5(Checkpoint):
    """JavaScript functions of the programs world to Python, legacy Python 2 at times: a T5 of .7 million parameters."""

    max_length: int = option(96, unit="tokens", at_least=1, help="longest translation", source="longest reference: 83")
    max_source: int = option(256, unit="tokens", at_least=1, help="sources are cut here", source="longest source: 93")
    beams: int = option(1, at_least=1, help="beams of the untouched model; 1 = greedy", source="ours")
    batch: int = option(32, unit="rows", at_least=1, help="rows of every network call", source="ours")
    prefix: str = option("", help="text before every source")
    dtype: Dtype = option("float32", help="precision of weights and network calls")

    def directory(self) -> Path:
        return ZOO / "programs-t5"

    @property
    def licence(self) -> str:
        path = self.directory() / "card.json"
        return str(json.loads(path.read_text()).get("licence", "unknown")) if path.is_file() else "unknown"

    def missing(self) -> tuple[Missing, ...]:
        where = "harness/models/zoo/programs-t5"
        return tuple(
            Missing(f"{what} of shipped model programs-t5", (where,), "harness zoo train programs-t5")
            for what in lacking(self.directory())
        )
