"""Cards of shipped models: what they are, what they were trained on, and what they measure; with hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

WEIGHT_SUFFIXES = (".safetensors", ".onnx", ".npz")


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_card(folder: Path, fields: Mapping[str, object]) -> None:
    """Writes card.json into `folder`, adding the licence, and size and sha256 of every weight and tokenizer file."""
    files = sorted(
        p for p in folder.rglob("*") if p.is_file() and (p.suffix in WEIGHT_SUFFIXES or p.name == "tokenizer.json")
    )
    hashes = {p.relative_to(folder).as_posix(): {"sha256": sha256(p), "bytes": p.stat().st_size} for p in files}
    card = {"name": folder.name, "licence": "Apache-2.0", **fields, "files": hashes}
    (folder / "card.json").write_text(json.dumps(card, indent=2, sort_keys=False) + "\n")


def update_card(folder: Path, fields: Mapping[str, object]) -> None:
    """Replaces or adds top-level fields of an existing card and refreshes the hashes."""
    card = json.loads((folder / "card.json").read_text())
    card.update(fields)
    for derived in ("name", "licence", "files"):
        card.pop(derived, None)
    write_card(folder, card)
