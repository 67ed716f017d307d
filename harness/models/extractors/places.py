"""Weights on this machine: where they are looked for, whether they are the published ones, what to do when absent.

A file is looked for in the weights folder (HARNESS_WEIGHTS, else ~/.cache/posthoc-harness/weights), then where its own
library puts it: torch's hub folder or the cache of the Hugging Face hub. Nothing is ever downloaded here. Where a
SHA-256 is published the file must have it; where none is, the hash that is found enters every id that uses the file,
so that two different files can never give numbers of one name.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from harness.metrics.embeddings import weights_folder
from harness.models.model import Missing
from harness.models.weights import sha256

ABSENT = "absent"  # the hash of a file that is not there and has no published one
WEIGHTS = (".safetensors", ".bin")


class WeightsDiffer(ValueError):
    """A file is not the published one: half a download, or other weights under its name."""


class Weights(ABC):
    """The files of one network."""

    @abstractmethod
    def files(self) -> dict[str, Path] | None:
        """Name → path of everything that loading reads; None when something is missing."""

    @abstractmethod
    def missing(self, instead: str) -> Missing | None:
        """What is missing, where it was looked for and how to fetch it; None when it is there."""

    @abstractmethod
    def hashes(self) -> dict[str, str]:
        """Name → sha256. Published hashes are given without reading the file; `verify` compares."""

    @abstractmethod
    def verify(self) -> None:
        """Raises WeightsDiffer when a file that is there has another hash than the published one."""


def torch_folder() -> Path:
    """torch.hub's folder of checkpoints, found without importing torch."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("TORCH_HOME") or cache / "torch") / "hub" / "checkpoints"


@dataclass(frozen=True)
class PublishedFile(Weights):
    """One file with an address. sha256: 64 digits, or the first ones where only those are published, or ""."""

    name: str
    url: str
    sha256: str = ""
    folders: tuple[Path, ...] | None = None  # None: the weights folder and torch's

    def places(self) -> tuple[Path, ...]:
        return (weights_folder(), torch_folder()) if self.folders is None else self.folders

    def files(self) -> dict[str, Path] | None:
        found = next((p / self.name for p in self.places() if (p / self.name).is_file()), None)
        return None if found is None else {self.name: found}

    def missing(self, instead: str) -> Missing | None:
        if self.files() is not None:
            return None
        target = self.places()[0] / self.name
        fetch = f"curl -L --create-dirs -o {target} {self.url}"
        return Missing(self.name, tuple(str(p) for p in self.places()), fetch, instead)

    def hashes(self) -> dict[str, str]:
        found = self.files()
        if self.sha256:
            return {self.name: self.sha256}
        return {self.name: ABSENT if found is None else sha256(found[self.name])}

    def verify(self) -> None:
        for path in (self.files() or {}).values():
            if not (found := sha256(path)).startswith(self.sha256):
                raise WeightsDiffer(
                    f"{path} has sha256 {found[:12]}…, the published file {self.sha256[:12]}…:"
                    " delete it and fetch it again"
                )


@dataclass(frozen=True)
class HubFolder(Weights):
    """A transformers checkpoint: a folder of the network's name in the weights folder, or `repo` in the hub's cache.

    needs: files beside the weights without which it cannot be loaded. No hash is published with a hub id that may move,
    so the hashes found are recorded.
    """

    name: str
    repo: str
    needs: tuple[str, ...] = ("config.json",)
    revision: str = "main"

    def folder(self) -> Path | None:
        """Where the files are; None when a needed one is in neither place."""
        return next((p for p in (weights_folder() / self.name, self._cached()) if p and self._complete(p)), None)

    def _cached(self) -> Path | None:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.repo, "config.json", revision=self.revision)
        return Path(found).parent if isinstance(found, str) else None

    def _complete(self, folder: Path) -> bool:
        return all((folder / n).is_file() for n in self.needs) and any(folder.glob("*" + s) for s in WEIGHTS)

    def files(self) -> dict[str, Path] | None:
        folder = self.folder()
        if folder is None:
            return None
        suffix = next(s for s in WEIGHTS if any(folder.glob("*" + s)))  # safetensors before .bin, as transformers does
        beside = [
            p for p in folder.iterdir() if p.suffix in (".json", ".txt") and not p.name.startswith("preprocessor")
        ]
        return {p.name: p for p in sorted([*folder.glob("*" + suffix), *beside])}

    def missing(self, instead: str) -> Missing | None:
        if self.folder() is not None:
            return None
        cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HF_HOME") or "~/.cache/huggingface"
        looked = (str(weights_folder() / self.name), f"hub cache {cache} ({self.repo})")
        revision = "" if self.revision == "main" else f" --revision {self.revision}"
        return Missing(f"checkpoint {self.repo}", looked, f"hf download {self.repo}{revision}", instead)

    def hashes(self) -> dict[str, str]:
        return {name: sha256(path) for name, path in (self.files() or {}).items()} or {self.repo: ABSENT}

    def verify(self) -> None:
        """Nothing is published to compare with."""
