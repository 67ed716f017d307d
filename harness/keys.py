"""Keys for random draws: every draw of the project comes from a named key, never from global or positional state.

A key is (seed, purpose, indices). It is hashed, so that additive collisions (seed 5 + task 1 = seed 6 + task 0) cannot
happen, and so that item 7 gets the same noise whatever the batch, the worker or the order. Noise is drawn on the CPU in
float32 with the item's full shape: `randn(8)` is not a prefix of `randn(16)` (engine.md section 8).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    import torch

Purpose = Literal[
    "init_noise",  # the initial noise of item i: shared by every method of a suite
    "step_noise",  # noise of stochastic samplers, per item and step
    "method",  # a method's own extra randomness
    "calibration",  # pilot draws that fix a method's scale (the radius of SPELL)
    "search",  # black-box optimisers
    "split",  # partitions of data
    "stats",  # resampling
    "world",  # drawing of synthetic data
    "training",  # recipes of shipped models
]
PURPOSES: frozenset[str] = frozenset(get_args(Purpose))


def digest(seed: int, purpose: Purpose, *indices: int | str) -> bytes:
    """The 16-byte identity of a key. Raises ValueError for a purpose outside the closed list."""
    if purpose not in PURPOSES:
        raise ValueError(f"unknown purpose {purpose!r} of a random draw; one of {', '.join(sorted(PURPOSES))}")
    text = json.dumps([int(seed), purpose, *indices], separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def generator(seed: int, purpose: Purpose, *indices: int | str) -> np.random.Generator:
    """A fresh Philox generator for the key (seed, purpose, indices)."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest(seed, purpose, *indices), "little")))


def normal(shape: tuple[int, ...], seed: int, purpose: Purpose, *indices: int | str) -> torch.Tensor:
    """Standard normal noise of the full item `shape`, float32, on the CPU."""
    import torch

    return torch.from_numpy(generator(seed, purpose, *indices).standard_normal(shape, dtype=np.float32))
