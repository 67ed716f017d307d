"""Networks that turn pictures into vectors, by name: what a method may look through while it samples.

Differentiable, unlike the scorer's single pass over finished images (harness/scoring/extractors.py): a declared network
(harness/models/extractors) is read through torch's antialiased resize, because gradients cannot pass the reference
implementation's own, and so is named by another digest than its metric. To add a space, declare a network or add a line
to `FEATURE_SPACES`; nothing is opened before it is asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.models.extractors import declarations
from harness.models.extractors.declaration import Declaration
from harness.models.extractors.resize import Resize
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


def resized(levels: Tensor, rule: Resize) -> Tensor:
    """(n, 3, H, W) levels to the size, edge and crop of a declared rule by a kernel of its kind, in [0, 255]."""
    import torch

    if rule.rule == "none":
        return levels
    size = rule.target(*levels.shape[2:])
    kernel, antialias = "bicubic" if "bicubic" in rule.rule else "bilinear", rule.rule.endswith("-aa")
    made = torch.nn.functional.interpolate(levels, size=size, mode=kernel, antialias=antialias, align_corners=False)
    if rule.crop:
        top, left = ((side - rule.middle) // 2 for side in made.shape[2:])
        made = made[:, :, top : top + rule.middle, left : left + rule.middle]
    return made.clamp(0.0, 255.0)


def _declared(found: Declaration) -> FeatureSpace:
    def open_(device: str) -> Network:
        forward = found.open(device)
        return lambda images: forward(resized(255.0 * images, found.resize))

    digest = hashlib.blake2b(f"{found.digest} torch resize".encode(), digest_size=16).hexdigest()
    return FeatureSpace(found.name, digest, open_)


FEATURE_SPACES: dict[str, Callable[[], FeatureSpace]] = {
    "avatars": lambda: _shipped("avatars-features"),
    "avatars-contrast": lambda: _shipped("avatars-contrast"),
    "digits": lambda: _shipped("digits-features"),
}


def feature_space(name: str, spaces: Mapping[str, Callable[[], FeatureSpace]] = FEATURE_SPACES) -> FeatureSpace:
    """The space of that name: of `spaces` ("avatars-features" is "avatars"), else a declared network.

    Raises UnknownName; its `open` raises MissingWeights.
    """
    for known in (name, name.removesuffix("-features")):
        if known in spaces:
            return spaces[known]()
    declared = declarations()
    if name not in declared:
        raise UnknownName("feature space", name, nearest(name, (*spaces, *declared)))
    return _declared(declared[name])
