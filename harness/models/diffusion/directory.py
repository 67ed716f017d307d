"""The files of a pipeline directory in the format of diffusers: which are loaded, what is missing, how large it is.

Read without torch. A variant ("fp16", "non_ema") stands in the names of weight files, between stem and suffix; where a
component has files of the asked variant they are loaded, else its plain ones, as diffusers does.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Components that are left out: they blank or filter images, or take images as prompts.
IGNORED = frozenset({"safety_checker", "feature_extractor", "image_encoder"})
_LOADED = (".safetensors", ".bin", ".json", ".txt", ".model")
_WEIGHTS = re.compile(r"(?P<stem>[\w-]+?)(?:\.(?P<variant>[\w-]+?))?(?:-\d{5}-of-\d{5})?\.(?P<kind>safetensors|bin)")
_INDEX = re.compile(r".+\.index(?:\.(?P<variant>[\w-]+))?\.json")


def index_of(root: Path) -> dict[str, Any]:
    """The content of model_index.json."""
    found: dict[str, Any] = json.loads((root / "model_index.json").read_text(encoding="utf-8"))
    return found


def parts_of(root: Path) -> list[str]:
    """The components that are loaded."""
    index = index_of(root)
    return [k for k, v in index.items() if isinstance(v, list) and v[0] is not None and k not in IGNORED]


def has_variant(root: Path, variant: str) -> bool:
    """Whether any component has weights of a variant."""
    return any(_variant(path.name) == variant for part in parts_of(root) for path in (root / part).glob("*"))


def loaded_files(root: Path, variant: str | None) -> dict[str, Path]:
    """The files that loading reads, by path inside the directory."""
    found = {"model_index.json": root / "model_index.json"}
    for part in parts_of(root):
        present = [p for p in sorted((root / part).glob("*")) if p.suffix in _LOADED]
        chosen = set(weight_files(root / part, variant))
        own = {_variant(p.name) for p in chosen}
        for path in present:
            if path in chosen or (not _WEIGHTS.fullmatch(path.name) and _belongs(path.name, own)):
                found[f"{part}/{path.name}"] = path
    return found


def weight_files(folder: Path, variant: str | None) -> list[Path]:
    """The weights of one component: the variant's, else the plain ones; safetensors before .bin."""
    matched = {p: m for p in sorted(folder.glob("*")) if (m := _WEIGHTS.fullmatch(p.name))}
    for wanted in (variant, None):
        for kind in ("safetensors", "bin"):
            if chosen := [p for p, m in matched.items() if m["variant"] == wanted and m["kind"] == kind]:
                return chosen
    return []


def incomplete(root: Path, variant: str | None = None) -> list[str]:
    """Components whose files are not there, or not all shards of them."""
    index, result = index_of(root), []
    for part in parts_of(root):
        names = [p.name for p in (root / part).glob("*")]
        needs_weights = not any(word in index[part][1] for word in ("Scheduler", "Tokenizer"))
        if not names or (needs_weights and not _whole(weight_files(root / part, variant))):
            result.append(part)
    return result


def _whole(files: list[Path]) -> bool:
    """Whether there is a file, and every shard that the names count."""
    totals = {int(m[1]) for p in files if (m := re.search(r"-of-(\d{5})\.", p.name))}
    return bool(files) and (not totals or len(files) >= max(totals))


def _variant(name: str) -> str | None:
    matched = _WEIGHTS.fullmatch(name)
    return matched["variant"] if matched else None


def _belongs(name: str, variants: set[str | None]) -> bool:
    """Whether a file that is no weight is read: every one but the shard lists of other variants."""
    matched = _INDEX.fullmatch(name)
    return matched is None or matched["variant"] in variants


def parameters(root: Path, variant: str | None) -> dict[str, int]:
    """Parameters by component, from the headers of safetensors files; of .bin files from their size, as float32."""
    return {
        part: sum(_count(p) for p in files) for part in parts_of(root) if (files := weight_files(root / part, variant))
    }


def _count(path: Path) -> int:
    if path.suffix != ".safetensors":
        return path.stat().st_size // 4
    return sum(_elements(shape) for shape in _shapes(path))


def _shapes(path: Path) -> Iterator[list[int]]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    return (entry["shape"] for name, entry in header.items() if name != "__metadata__")


def _elements(shape: list[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
