"""Weights of a shipped folder: a card with hashes, read back only when the file on disk is the one on the card."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

CARD = "card.json"


class WeightsChanged(ValueError):
    """A file on disk is not the one that its card names."""


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a model folder. Raises FileNotFoundError naming the folder when there is none."""
    path = folder / CARD
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {CARD}: not a shipped model folder")
    card: dict[str, Any] = json.loads(path.read_text())
    return card


def check(folder: Path) -> dict[str, str]:
    """File -> sha256 of every file on the card of `folder`. Raises WeightsChanged for a missing or different file."""
    found = {}
    for name, entry in read_card(folder)["files"].items():
        path = folder / name
        if not path.is_file():
            raise WeightsChanged(f"{path} is missing; its card names it with sha256 {entry['sha256'][:12]}…")
        found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        if found[name] != entry["sha256"]:
            raise WeightsChanged(
                f"{path} has sha256 {found[name][:12]}…, its card says {entry['sha256'][:12]}…; restore it from git"
            )
    return found


def load_safetensors(folder: Path, name: str = "model.safetensors") -> dict[str, torch.Tensor]:
    """The tensors of a verified file, float32. Raises WeightsChanged when any file differs from the card."""
    from safetensors.torch import load_file

    check(folder)
    return {key: value.float() for key, value in load_file(folder / name).items()}
