"""Quality of an avatars portrait, read by the shipped scorers: how little it looks damaged, in [0, 1].

Trained on planted damages of known severity (blur, warps, holes, ghosts, softness, …), not on any generator's pictures.
`avatars-quality-a` is the one to tune on; `avatars-quality-b` shares neither architecture, renders, seed nor all of the
damages, and is the one to report (rules.md B).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from harness.models.judges import pictures
from harness.models.judges.judge import Judge, Opened, judge
from harness.models.model import Missing
from harness.models.zoo import entry


class _Shipped(Judge):
    """A scorer of the zoo, whose folder has the judge's name."""

    reads: ClassVar[tuple[str, ...]] = ("images",)

    def digest(self) -> str:
        hashes = {name: f["sha256"] for name, f in sorted(entry(self.name).card["files"].items())}
        return hashlib.blake2b(json.dumps(hashes).encode(), digest_size=16).hexdigest()

    def missing(self) -> tuple[Missing, ...]:
        if entry(self.name).is_present:
            return ()
        where = f"harness/models/zoo/{self.name}"
        return (Missing(f"shipped model {self.name}", (where,), f"harness zoo train {self.name}"),)

    def open(self, device: str) -> Opened:
        scorer = self.gradient(device)

        def read(artifacts: Mapping[str, NDArray[Any]], _facts: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
            found = pictures.rows(lambda levels: scorer(levels / 255), pictures.of(artifacts), device)
            return {"score": found.numpy()}

        return read

    def gradient(self, device: str) -> Callable[[Any], Any]:
        from harness.models.quality import QualityScorer

        return QualityScorer.load(entry(self.name).directory).to(device)


@judge("avatars-quality-a")
@dataclass(frozen=True)
class AvatarsQualityA(_Shipped):
    """The tune scorer: convolutions, ten damages."""


@judge("avatars-quality-b")
@dataclass(frozen=True)
class AvatarsQualityB(_Shipped):
    """The held-out scorer: a mixer, other renders, partly other damages."""
