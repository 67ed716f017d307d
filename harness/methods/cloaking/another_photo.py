"""Another photo of the same person: how much of a cloak's protection is "just a different photo".

Source: face_privacy.md section 5, natural variation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.cloaking.photos import Photos, Tools
from harness.methods.method import Source, Transform, method

if TYPE_CHECKING:
    from torch import Tensor


@method(
    "another_photo",
    source=Source(title="Another photo of the same person", licence="none needed"),
    requires="a second photo of every person",
)
@dataclass(frozen=True)
class AnotherPhoto(Transform):
    """No options."""

    def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        if photos.other is None:
            raise ValueError("another_photo: these people have one photo each")
        return photos.other.clone()
