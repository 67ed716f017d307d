"""A checkpoint of transformers by directory or hub id: where it is, what loading reads, what to fetch.

Nothing is downloaded and no code of a checkpoint runs; weights are safetensors, or .bin read as weights only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.models.model import Missing, MissingWeights
from harness.models.weights import sha256

READ = (".json", ".txt", ".model")
WEIGHTS = (".safetensors", ".bin")
HUB_CACHE = "~/.cache/huggingface"


@dataclass(frozen=True)
class Snapshot:
    """path  directory or hub id;  revision  of a hub id;  needs  files without which it cannot be loaded
    beside  groups of names of which one each is needed (a tokenizer has one of several files)
    """

    path: str
    revision: str | None = None
    needs: tuple[str, ...] = ("config.json",)
    beside: tuple[tuple[str, ...], ...] = ()

    def folder(self) -> Path | None:
        """Where the files are, complete or not; None when there is neither directory nor cached snapshot."""
        local = Path(self.path).expanduser()
        if local.is_dir():
            return local
        if not self._is_hub_id():
            return None
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            return Path(snapshot_download(self.path, revision=self.revision, local_files_only=True))
        except (LocalEntryNotFoundError, OSError, ValueError):
            return None

    def files(self) -> dict[str, Path]:
        """Name → path of everything that loading reads. Raises MissingWeights."""
        root = self.folder()
        if root is None or self.missing(""):
            raise MissingWeights(self.missing(""))
        weights = next(found for suffix in WEIGHTS if (found := sorted(root.glob("*" + suffix))))
        beside = [p for p in sorted(root.glob("*")) if p.suffix in READ and p.is_file()]
        return {p.name: p for p in (*beside, *weights)}

    def hashes(self) -> dict[str, str]:
        """Name → sha256 of `files`. Raises MissingWeights."""
        return {name: sha256(path) for name, path in self.files().items()}

    def opened_at(self) -> Path:
        """The directory to load from. Raises MissingWeights."""
        files = self.files()
        return files[self.needs[0]].parent

    def missing(self, instead: str) -> tuple[Missing, ...]:
        """What is missing and how to fetch it; `instead` is the shipped alternative."""
        root = self.folder()
        if root is None:
            looked = [f"directory {self.path}"]
            if self._is_hub_id():
                looked.append(f"hub cache {os.environ.get('HF_HUB_CACHE') or os.environ.get('HF_HOME') or HUB_CACHE}")
            return (Missing(f"checkpoint {self.path!r}", tuple(looked), self._fetch(), instead),)
        return tuple(
            Missing(f"{what} of {self.path}", (str(root),), self._fetch(), instead) for what in _lacks(self, root)
        )

    def _is_hub_id(self) -> bool:
        return bool(re.fullmatch(r"[\w.-]+/[\w.-]+", self.path)) and not Path(self.path).expanduser().exists()

    def _fetch(self) -> str:
        if not self._is_hub_id():
            return f"put a checkpoint as save_pretrained writes it at {self.path}"
        revision = f" --revision {self.revision}" if self.revision else ""
        return f"hf download {self.path}{revision} (where there is a network; then copy the folder here and name it)"


def _lacks(snapshot: Snapshot, root: Path) -> Sequence[str]:
    found = [name for name in snapshot.needs if not (root / name).is_file()]
    found += [" or ".join(group) for group in snapshot.beside if not any((root / name).is_file() for name in group)]
    return [*found, *([] if any(any(root.glob("*" + s)) for s in WEIGHTS) else ["weights"])]
