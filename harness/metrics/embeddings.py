"""Which feature spaces there are, by name only: shipped, published, and the user's own. Nothing here is opened.

The declarations are in harness/models/extractors; a user's own are YAML files in the weights folder, whose names are
read here so that a suite can be checked without any of them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

SUFFIX = ".embedding.yaml"
SHIPPED = ("avatars", "avatars-contrast", "digits", "latent")
INCEPTION = ("inception-clean", "inception-legacy_pytorch", "inception-legacy_tensorflow")
CLIP_MODELS = ("vit-b-32", "vit-b-16", "vit-l-14")
PUBLISHED = (
    *INCEPTION,
    *("dinov2-vit-s-14", "dinov2-vit-b-14", "dinov2-vit-l-14"),
    *(f"clip-{model}" for model in CLIP_MODELS),
    "sscd-disc-mixup",
)


def weights_folder() -> Path:
    """Where users put weights: HARNESS_WEIGHTS, else ~/.cache/posthoc-harness/weights. It need not exist."""
    given = os.environ.get("HARNESS_WEIGHTS")
    if given:
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "posthoc-harness" / "weights"


def own_names() -> tuple[str, ...]:
    """Names of the user's embeddings: NAME.embedding.yaml of the weights folder, in lower case without dots."""
    found = sorted(p.name.removesuffix(SUFFIX) for p in weights_folder().glob(f"*{SUFFIX}"))
    return tuple(n for n in found if re.fullmatch(r"[a-z0-9_-]+", n) and n not in (*SHIPPED, *PUBLISHED))


def extractors() -> tuple[str, ...]:
    """Every feature space, shipped ones first."""
    return (*SHIPPED, *PUBLISHED, *own_names())


def spaces() -> tuple[str, ...]:
    """Those whose Fréchet and kernel distances are `fd` and `kd`: on Inception they are `fid` and `kid`."""
    return tuple(n for n in extractors() if n not in INCEPTION)
