"""Random decoy: a photo moved as far as a cloak moves it, towards a decoy that no recogniser has chosen.

x' = G(w0 + s (w_d - w0)) in the latents of a generator, or x + s (d - x) in pixels, d a photo of the pool drawn by the
photo's key, s in [0, 1] the largest at which the 8-bit picture is no further from the photo than `amount`. Where the
generator's own round trip is beyond the amount, s is 0. Ours; face_privacy.md section 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.methods.cloaking.decoys import drawn
from harness.methods.cloaking.matching import HALVINGS, Match, amount_of, matched
from harness.methods.cloaking.photos import Photos, Tools, in_blocks, levels
from harness.methods.cloaking.privacygan import GENERATOR
from harness.methods.method import Source, Transform, method
from harness.models.latent_generators import find
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor


class Space(StrEnum):
    """Where the way to the decoy is straight."""

    LATENT = "latent"
    PIXELS = "pixels"


@method(
    "random_decoy",
    source=Source(title="A random decoy at equal distance (ours)", licence="none needed"),
    requires="decoys; the distance that is matched; a generator with an encoder for latents",
)
@dataclass(frozen=True)
class RandomDecoy(Transform):
    """The control of cloaks that choose a decoy."""

    control_of = "privacygan"

    space: Space = option(Space.LATENT, help="where the way is straight", source="ours: privacygan's")
    match: Match = option(Match.PERCEPTUAL, help="what `amount` is", source="face_privacy.md section 5")
    amount: float = option(0.05, unit="of 255, or a distance", at_least=0, help="of the change", source="ours")
    generator: str = option(GENERATOR, help="latent: which one", source="ours: shipped")

    def content(self) -> Mapping[str, str]:
        return {"generator": find(self.generator).identity()} if self.space is Space.LATENT else {}

    def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        if self.space is Space.LATENT:
            tools.charge("decoder", len(photos) * (HALVINGS + 1 if self.amount else 1))
        return in_blocks(photos, tools, lambda block: self._moved(block, tools, seed))

    def _moved(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        x, decoy = photos.pixels, drawn(photos, tools, seed, self.name)
        measure = amount_of(self.match, tools, x)
        if self.space is Space.PIXELS:
            return matched(lambda s: levels(x + s * (decoy - x)), measure, self.amount, 1.0, x)
        generator = tools.generator(self.generator)
        start, end = (generator.encode(v).detach().flatten(1) for v in (x, decoy))
        shape = generator.encode(x).shape
        return matched(
            lambda s: levels(generator.decode((start + s.flatten(1) * (end - start)).reshape(shape))),
            measure,
            self.amount,
            1.0,
            x,
        )
