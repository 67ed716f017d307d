"""How much a method changed against the untouched model: share of images that differ, mean distance of final latents.

Both are per item at the same seed and the same noise (generation.md 0.3). An image differs where one byte does. A cell
whose images all equal is the inert one that `harness/engine/flags.py` flags; between that and everything lies what a
flag does not say. Kept in the store under the content of both cells, so that a finished run is scored again at once.
"""

from __future__ import annotations

import numpy as np

from harness.engine.cell import digest_of
from harness.engine.store import Store, StoredCell
from harness.metrics.metric import Array

KIND = "changed"


def changed(cell: StoredCell, base: StoredCell, store: Store) -> dict[str, float]:
    """ "images.changed" in [0, 1], and "latents.distance" where both kept latents; {} where items do not match."""
    names = [n for n in ("images", "latents") if n in cell.names and n in base.names]
    if not names or cell.manifest.items != base.manifest.items:
        return {}
    key = digest_of({"cell": dict(cell.manifest.content), "base": dict(base.manifest.content), "arrays": names, "v": 1})

    def measure() -> dict[str, Array]:
        ours, theirs = cell.arrays(*names), base.arrays(*names)
        found: dict[str, Array] = {}
        if "images" in names:
            found["images.changed"] = np.array(share_changed(ours["images"], theirs["images"]))
        if "latents" in names:
            found["latents.distance"] = np.array(mean_distance(ours["latents"], theirs["latents"]))
        return found

    return {name: float(value) for name, value in store.derived(key, measure, kind=KIND).items()}


def share_changed(ours: Array, theirs: Array) -> float:
    """Share of the items (N, …) in which at least one value differs."""
    return float((ours != theirs).reshape(len(ours), -1).any(axis=1).mean())


def mean_distance(ours: Array, theirs: Array) -> float:
    """Mean Euclidean distance of items (N, D), in float64."""
    apart = ours.reshape(len(ours), -1).astype(np.float64) - theirs.reshape(len(theirs), -1)
    return float(np.sqrt((apart**2).sum(axis=1)).mean())
