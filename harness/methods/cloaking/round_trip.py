"""Round trips without any cloak: through 8 bits, and through the generator whose latents a cloak moves.

What a latent cloak gains beyond its generator's own round trip is its gain (rules.md 2). Source: none needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.methods.cloaking.photos import Photos, Tools, in_blocks, levels
from harness.methods.cloaking.privacygan import GENERATOR
from harness.methods.method import Source, Transform, method
from harness.models.latent_generators import find
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor


@method("round_trip_8bit", source=Source(title="Rounding to 8 bits", licence="none needed"))
@dataclass(frozen=True)
class RoundTrip8Bit(Transform):
    """The nearest of 256 levels: what every file is."""

    def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        return levels(photos.pixels)


@method(
    "generator_round_trip",
    source=Source(title="A generator's round trip", licence="none needed"),
    requires="a generator with an encoder",
)
@dataclass(frozen=True)
class GeneratorRoundTrip(Transform):
    """G(encoder(x)), not moved."""

    control_of = "privacygan"

    generator: str = option(GENERATOR, help="which one", source="ours: shipped")

    def content(self) -> Mapping[str, str]:
        return {"generator": find(self.generator).identity()}

    def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        generator = tools.generator(self.generator)
        tools.charge("decoder", len(photos))
        return in_blocks(photos, tools, lambda block: generator.decode(generator.encode(block.pixels).detach()))
