"""Networks that turn pictures into vectors, by name: what a method may look through while it samples.

Differentiable, unlike the scorer's single pass over finished images (harness/scoring/extractors.py). To add one, add a
line to `FEATURE_SPACES`; nothing is opened before it is asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.models.zoo import ZOO
from harness.options import nearest
from harness.registry import UnknownName

if TYPE_CHECKING:
    from torch import Tensor

    Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FeatureSpace:
    """One named network. `digest` names its weights.

    `open(device)` gives a function (B, 3, H, W) float32 in [0, 1] → (B, D) float32 that gradients go through.
    """

    name: str
    digest: str
    open: Callable[[str], Network]


def _shipped(zoo_name: str) -> FeatureSpace:
    entry = ZOO[zoo_name]
    files = {name: f["sha256"] for name, f in sorted(entry.card["files"].items())}

    def open_(device: str) -> Network:
        from harness.models.features import FeatureExtractor

        return FeatureExtractor.load(entry.directory).to(device)

    digest = hashlib.blake2b(json.dumps(files).encode(), digest_size=16).hexdigest()
    return FeatureSpace(zoo_name.removesuffix("-features"), digest, open_)


FEATURE_SPACES: dict[str, Callable[[], FeatureSpace]] = {
    "avatars": lambda: _shipped("avatars-features"),
    "digits": lambda: _shipped("digits-features"),
}


def feature_space(name: str, spaces: Mapping[str, Callable[[], FeatureSpace]] = FEATURE_SPACES) -> FeatureSpace:
    """The space of that name; "avatars-features" is "avatars". Raises UnknownName."""
    short = name if name in spaces else name.removesuffix("-features")
    if short not in spaces:
        raise UnknownName("feature space", name, nearest(name, spaces))
    return spaces[short]()
