"""PrivacyGAN, our definition: the latent of a photo moved until recognisers see a decoy, near to what a person sees.

w* = argmin_w  lam_e mean_m max(0, 1 - cos(phi_m(G(w)), phi_m(decoy))) + lam_p distance(G(w), x)
             + lam_2 mean (G(w) - x)² + lam_w mean (w - w0)²,     w0 = encoder(x),  Adam
distance is that of the tools (LPIPS in the paper); squares are means over elements, so that weights do not depend on
the size of a picture. Where `hinge` m is given, the first term of a photo is off in every step at which fewer than m
photos of the pool are more similar to G(w) than the decoy is. `compose` runs Fawkes (its mode `fawkes`, the same
surrogates) on the photo before, or on the result after.

arXiv 2310.12590: loss weights, steps, rate and results are not recovered, and the authors' code (mzameshina/
Image-Privacy@1cfd2f2) evaluates only. All numbers here are placeholders of ours, to be tuned on the tune split. Without
steps it is the generator's round trip bit for bit; with lam_e 0 it is a better reconstruction, the control beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.methods.cloaking.decoys import Choice, Pool, nearer
from harness.methods.cloaking.ensemble import FIRST, WORDS, Cloak, Ensemble
from harness.methods.cloaking.fawkes import Fawkes
from harness.methods.cloaking.photos import Photos, Tools
from harness.methods.cloaking.steppers import Adam
from harness.methods.method import Source, method
from harness.models.latent_generators import find
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

GENERATOR = "avatars-vq"


class Compose(StrEnum):
    """The two-stage orders of the paper's evaluation."""

    NONE = "none"
    FAWKES_FIRST = "fawkes_first"
    FAWKES_LAST = "fawkes_last"


class Mode(StrEnum):
    """The modes of Fawkes's code: bound, steps and rate."""

    LOW = "low"
    MID = "mid"
    HIGH = "high"


MODES = {Mode.LOW: (0.004, 40, 25.0), Mode.MID: (0.012, 75, 20.0), Mode.HIGH: (0.017, 150, 15.0)}


def disagreement(vectors: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """(n,) mean over surrogates of 1 - cos, never below 0."""
    import torch
    from torch.nn import functional

    each = [1.0 - functional.cosine_similarity(v, w, dim=1) for v, w in zip(vectors, wanted, strict=True)]
    return torch.stack(each).clamp_min(0.0).mean(dim=0)


@method(
    "privacygan",
    source=Source(
        "PrivacyGAN: robust generative image privacy", "2310.12590", "mzameshina/Image-Privacy@1cfd2f2", "none found"
    ),
    requires="gradients of the surrogates, of a generator and of the perceptual distance; decoys",
)
@dataclass(frozen=True)
class PrivacyGan(Cloak):
    """A decoy search in the latents of a generator."""

    surrogates: str = option(FIRST, help=WORDS, source="ours")
    generator: str = option(GENERATOR, help="whose latents are moved", source="ours: shipped")
    decoy: Choice = option(Choice.FARTHEST, help="whom photos are moved towards", source="ours")
    named: str = option("", help="decoy named: the person in the pool", source="ours")
    hinge: int | None = option(None, unit="rank", at_least=1, help="stop pushing when the decoy is so near; never")
    lam_e: float = option(1.0, unit="a cosine", at_least=0, help="weight of the decoy", source="ours, a placeholder")
    lam_p: float = option(1.0, unit="a distance", at_least=0, help="perceptual distance", source="ours, a placeholder")
    lam_2: float = option(1.0, unit="a square", at_least=0, help="squared error", source="ours, a placeholder")
    lam_w: float = option(0.01, unit="a square", at_least=0, help="latent displacement", source="ours, a placeholder")
    steps: int = option(200, unit="steps", at_least=0, help="of Adam", source="ours, a placeholder")
    rate: float = option(0.01, unit="a step", above=0, help="learning rate of Adam", source="ours, a placeholder")
    compose: Compose = option(Compose.NONE, help="Fawkes before, after or not at all", source="Image-Privacy@1cfd2f2")
    fawkes: Mode = option(Mode.MID, help="mode of Fawkes where composed", source="ours")

    def __post_init__(self) -> None:
        if (self.decoy is Choice.NAMED) != bool(self.named):
            raise ValueError("`named` is the person of `decoy: named`, and of nothing else")

    def content(self) -> Mapping[str, str]:
        return {"generator": find(self.generator).identity()}

    @property
    def gradients(self) -> int:
        return self.steps + (0 if self.compose is Compose.NONE else self.stage.gradients)

    @property
    def decodings(self) -> int:  # type: ignore[override]
        return self.steps + 1

    @property
    def stage(self) -> Fawkes:
        """The Fawkes of a composition."""
        bound, steps, rate = MODES[self.fawkes]
        return Fawkes(self.surrogates, bound=bound, steps=steps, rate=rate)

    def cloak(self, photos: Photos, ensemble: Ensemble, tools: Tools, seed: int) -> Tensor:
        if self.compose is Compose.FAWKES_FIRST:
            photos = replace(photos, pixels=self.stage.cloak(photos, ensemble, tools, seed))
        found = self._moved(photos, ensemble, tools)
        if self.compose is Compose.FAWKES_LAST:
            found = self.stage.cloak(replace(photos, pixels=found), ensemble, tools, seed)
        return found

    def _moved(self, photos: Photos, ensemble: Ensemble, tools: Tools) -> Tensor:
        import torch

        generator, x = tools.generator(self.generator), photos.pixels
        start = generator.encode(x).detach()
        if not self.steps:
            return generator.decode(start).detach()
        pool = Pool.of(ensemble, tools)
        wanted = pool.chosen(self.decoy, self.named, ensemble.known(x))
        w, adam = start, Adam(self.rate)
        for _ in range(self.steps):
            w = w.detach().requires_grad_(True)
            made = generator.decode(w)
            vectors = ensemble.vectors(made)
            push = disagreement(vectors, wanted)
            if self.hinge is not None:
                push = push * (nearer(pool, [v.detach() for v in vectors], wanted) >= self.hinge)
            loss = self.lam_e * push + self.lam_p * tools.distance(made, x)
            loss = loss + self.lam_2 * (made - x).square().mean(dim=(1, 2, 3))
            loss = loss + self.lam_w * (w - start).square().flatten(1).mean(dim=1)
            w = adam.stepped(w.detach(), torch.autograd.grad(loss.sum(), w)[0])
        return generator.decode(w.detach()).detach()
