"""Networks that are not shipped: each declared in full before a byte of it is on this machine.

Names of features in metric ids (`fd.dinov2-vit-b-14`) are the names of this table; harness/metrics lists them without
importing it, and a test holds the two lists equal.
"""

from __future__ import annotations

from harness.models.extractors.clip import CLIP
from harness.models.extractors.declaration import Declaration
from harness.models.extractors.dinov2 import DINOV2
from harness.models.extractors.embedding import SSCD, own_embeddings
from harness.models.extractors.inception import INCEPTION

PUBLISHED: dict[str, Declaration] = {d.name: d for d in (*INCEPTION, *DINOV2, *CLIP, *SSCD)}


def declarations() -> dict[str, Declaration]:
    """The published networks, then those that the user's weights folder declares."""
    return {**PUBLISHED, **{d.name: d for d in own_embeddings() if d.name not in PUBLISHED}}
