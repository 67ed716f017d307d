"""Latent oracles with known answers: scores that are functions of the latent itself, every call counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from harness.keys import generator
from harness.methods.oracle import LatentOracle


class ToyLatents(LatentOracle):
    """Items `samples` of one prompt in d dimensions, started as image generation starts them.

    value  latents (n, d) float64 → (n,); slope its gradient; features latents → (n, k)
    """

    def __init__(
        self,
        d: int,
        samples: Sequence[int],
        value: Callable[[Any, Sequence[int]], Any],
        slope: Callable[[Any, Sequence[int]], Any] | None = None,
        features: Callable[[Any], Any] = lambda z: z,
        seed: int = 0,
    ) -> None:
        self.keys = tuple((0, s) for s in samples)
        self.samples = tuple(samples)
        draws = [generator(seed, "init_noise", 0, s) for s in samples]
        self.latents = np.stack([g.standard_normal(d, dtype=np.float32) for g in draws])
        self._value, self._slope, self._features = value, slope, features
        self.scored = self.sloped = self.seen = 0

    def score(self, latents: Any) -> Any:
        self.scored += 1
        return np.asarray(self._value(latents.astype(np.float64), self.samples), dtype=np.float64)

    def gradient(self, latents: Any) -> Any:
        assert self._slope is not None
        self.sloped += 1
        z = latents.astype(np.float64)
        return self._value(z, self.samples), self._slope(z, self.samples).astype(np.float32)

    def features(self, latents: Any, extractor: str) -> Any:
        self.seen += len(latents)
        return np.asarray(self._features(latents), dtype=np.float32)


def centres(d: int, samples: Sequence[int]) -> Any:
    """(n, d) a centre c ~ N(0, I) of each item."""
    return np.stack([generator(9, "world", "centre", s).standard_normal(d) for s in samples])


def separable(d: int, count: int) -> ToyLatents:
    """The score -‖z - c‖² of `count` items (generation.md section 2)."""
    c = centres(d, range(count))
    return ToyLatents(d, range(count), lambda z, samples: -((z - c[list(samples)]) ** 2).sum(1))


def constant(d: int, count: int) -> ToyLatents:
    return ToyLatents(d, range(count), lambda z, samples: np.zeros(len(z)))


def linear(d: int, count: int) -> ToyLatents:
    """w · z with w = (1, 0, …): standard normal scores."""
    return ToyLatents(d, range(count), lambda z, samples: z[:, 0], lambda z, samples: np.eye(1, d).repeat(len(z), 0))
