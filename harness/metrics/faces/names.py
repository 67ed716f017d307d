"""Which recognisers a metric's name may hold, by name only. None is opened.

The recognisers are in harness/models/faces; a user's own are NAME.recogniser.yaml files in the weights folder.
"""

from __future__ import annotations

import re
from importlib.metadata import entry_points

from harness.metrics.embeddings import weights_folder

WEAK = "avatars-weak"  # declared weak: a comparison that must not be mistaken for protection
STRONG = ("avatars-resnet-a", "avatars-resnet-b", "avatars-mobilenet", "avatars-vit", "avatars-cnn")
SHIPPED = (*STRONG, WEAK)
PUBLISHED = ("dlib-resnet", "buffalo-l", "facenet-vggface2", "facenet-casia", "clip-vit-b-32")  # weights not shipped
SUFFIX = ".recogniser.yaml"


def faces() -> tuple[str, ...]:
    """Every recogniser, shipped ones first, then published ones, the user's own and those of plug-ins."""
    own = (p.name.removesuffix(SUFFIX) for p in sorted(weights_folder().glob(f"*{SUFFIX}")))
    plugged = (point.name for point in entry_points(group="harness.recognisers"))
    found = (n for n in (*own, *plugged) if re.fullmatch(r"[A-Za-z0-9_-]+", n))
    return tuple(dict.fromkeys((*SHIPPED, *PUBLISHED, *found)))
