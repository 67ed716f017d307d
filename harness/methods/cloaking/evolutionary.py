"""Evolutionary cloak: a search by an optimiser of nevergrad, told only what a recogniser says of pictures it is shown.

Every photo is searched by itself, within its own budget of queries. What is moved: `field`, a coarse grid of colors u,
x' = x + eps · (tanh(u) enlarged bilinearly to the picture), so that no change is above eps; or `latent`, x' = G(w0 +
scale · u). Score, lower is better: cos(phi(x'), phi(x)) to dodge or -cos(phi(x'), phi(t)) to impersonate, plus lam_p
distance(x', x). One query of the budget is for the vector that is fled or sought; the first point is u = 0. What is
shown to the recogniser is the 8-bit picture, and the best of the pictures shown is returned, of several the first.

Ours, the black-box row beside PrivacyGAN; source of the optimisers: nevergrad (MIT). With budget below 2 or eps 0 the
photo is returned as it is (`latent`: the round trip).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.methods.cloaking.ensemble import FIRST, Goal, targets
from harness.methods.cloaking.photos import LEVELS, Photos, Tools, blocks, levels
from harness.methods.cloaking.privacygan import GENERATOR
from harness.methods.method import Source, Transform, method
from harness.methods.retrofitting.optimiser import Optimiser
from harness.models.latent_generators import find
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor


class Space(StrEnum):
    """What is moved."""

    FIELD = "field"
    LATENT = "latent"


def colors(u: Tensor, pixels: Tensor, eps: float) -> Tensor:
    """Pictures with the grid u (n, 3, g, g) on them, no change above eps."""
    import torch
    from torch.nn import functional

    smooth = functional.interpolate(torch.tanh(u), size=pixels.shape[2:], mode="bilinear", align_corners=False)
    return (pixels + eps * smooth).clamp(0.0, 1.0)


@method(
    "evolutionary",
    source=Source("Evolutionary cloak (ours)", code="nevergrad, for its optimisers", licence="MIT (nevergrad)"),
    requires="answers of a recogniser; no gradients",
)
@dataclass(frozen=True)
class Evolutionary(Transform):
    """Queries are its budget: one recogniser, asked in turn."""

    libraries = ("nevergrad",)

    recogniser: str = option(FIRST, help="the one recogniser that is asked", source="ours")
    goal: Goal = option(Goal.DODGE, help="away from the photo's own vector, or towards the target's", source="ours")
    space: Space = option(Space.FIELD, help="what is moved", source="ours")
    optimiser: str = option("OnePlusOne", help="nevergrad's name", source="ours: NGOpt is it at this dimension")
    budget: int = option(100, unit="queries a photo", at_least=0, help="the reference is one of them", source="ours")
    eps: float = option(
        8.0, unit="of 255", at_least=0, at_most=255, help="field: largest change", source="ours: as pgd"
    )
    grid: int = option(8, unit="cells a side", at_least=1, help="field: colors a side", source="ours")
    scale: float = option(0.3, unit="latent units", at_least=0, help="latent: of one unit of the search", source="ours")
    lam_p: float = option(0.0, unit="a distance", at_least=0, help="weight of the perceptual distance", source="ours")
    generator: str = option(GENERATOR, help="latent: whose latents", source="ours: shipped")

    def content(self) -> Mapping[str, str]:
        return {"generator": find(self.generator).identity()} if self.space is Space.LATENT else {}

    @property
    def points(self) -> int:
        """Points a photo that are shown."""
        strength = self.eps if self.space is Space.FIELD else self.scale
        return max(0, self.budget - 1) if strength else 0

    def transform(self, photos: Photos, tools: Tools, seed: int) -> Tensor:
        import torch

        if not len(photos):
            return photos.pixels.clone()
        with torch.inference_mode(False), torch.no_grad():
            found = [self._searched(block, real, tools, seed) for block, real in blocks(photos, tools.device)]
        return torch.cat(found)

    def _searched(self, photos: Photos, real: int, tools: Tools, seed: int) -> Tensor:
        """(real, 3, H, W) of a block whose further photos only fill it up."""
        size, draw = self._space(photos, tools)
        kept = draw(np.zeros((len(photos), size)))
        if not self.points:
            self._decoded(tools, real)
            return kept[:real].cpu()
        impersonate = self.goal is Goal.IMPERSONATE
        sought = targets(photos, tools) if impersonate else photos.pixels
        reference, sign = _unit(self._ask(sought, real, tools)), -1.0 if impersonate else 1.0
        keys = ["/".join(k) for k in photos.keys[:real]]
        searches = [Optimiser(self.optimiser, size, self.points, 1, (seed, k)) for k in keys]
        best = np.full(real, np.inf)
        for _ in range(self.points):
            asked = np.stack([s.ask(1)[0] for s in searches])
            made = draw(np.concatenate([asked, np.zeros((len(photos) - real, size))]))
            self._decoded(tools, real)
            scores = sign * (_unit(self._ask(made, real, tools)) * reference).sum(axis=1)
            if self.lam_p:
                scores = scores + self.lam_p * tools.distance(made, photos.pixels)[:real].double().cpu().numpy()
            for search, score in zip(searches, scores, strict=True):
                search.tell([np.array([score])])
            better = np.flatnonzero(scores < best)
            kept[better.tolist()] = made[better.tolist()]
            best = np.minimum(best, scores)
        return kept[:real].cpu()

    def _space(self, photos: Photos, tools: Tools) -> tuple[int, Callable[[NDArray[np.float64]], Tensor]]:
        """How many numbers are moved, and what becomes of them (n, size)."""
        import torch

        x = photos.pixels
        if self.space is Space.LATENT:
            network = tools.generator(self.generator)
            start = network.encode(x)

            def decoded(u: NDArray[np.float64]) -> Tensor:
                moved = torch.from_numpy(u).to(start).reshape(start.shape)
                return network.decode(start + self.scale * moved).clone()

            return start[0].numel(), decoded
        shape = (x.shape[1], self.grid, self.grid)
        return int(np.prod(shape)), lambda u: colors(
            torch.from_numpy(u).to(x).reshape(-1, *shape), x, self.eps / LEVELS
        )

    def _ask(self, pixels: Tensor, real: int, tools: Tools) -> NDArray[np.float64]:
        shown = (levels(pixels[:real]) * LEVELS).round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return np.asarray(tools.ask(self.recogniser, shown), dtype=np.float64)

    def _decoded(self, tools: Tools, count: int) -> None:
        if self.space is Space.LATENT:
            tools.charge("decoder", count)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of length 1; rows of zeros, where no face was found, stay."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))
