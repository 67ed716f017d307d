"""Which judges a metric's name may hold, by name only: built in, the user's own, and those of plug-ins. None is opened.

The judges are in harness/models/judges; a user's own are NAME.judge.yaml files in the weights folder, whose names are
read here so that a suite can be checked without any of them. What such a judge reads is known when it has judged.
"""

from __future__ import annotations

import re
from importlib.metadata import entry_points

from harness.metrics.embeddings import weights_folder

RECOGNISERS = ("sphinx-commands", "sphinx-open", "sphinx", "whisper", "wav2vec2")
SCORERS = ("avatars-quality-a", "avatars-quality-b", "avatars-adherence", "sharpness", "brisque")
RUNNERS = ("python-tests",)
SUFFIX = ".judge.yaml"


def with_own(shipped: tuple[str, ...]) -> tuple[str, ...]:
    """The shipped names of a kind, then every name that the user or a plug-in declares."""
    own = (p.name.removesuffix(SUFFIX) for p in sorted(weights_folder().glob(f"*{SUFFIX}")))
    plugged = (point.name for point in entry_points(group="harness.judges"))
    found = (n for n in (*own, *plugged) if re.fullmatch(r"[A-Za-z0-9_-]+", n))
    return tuple(dict.fromkeys((*shipped, *found)))
