"""The photo as it is: the do-nothing row of every table of cloaks.

Source: none needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.cloaking.photos import Photos, Tools
from harness.methods.method import Source, Transform, method

if TYPE_CHECKING:
    from torch import Tensor


@method("identity", source=Source(title="The untouched photo", licence="none needed"))
@dataclass(frozen=True)
class Identity(Transform):
    """No options."""

    def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        return photos.pixels.clone()
