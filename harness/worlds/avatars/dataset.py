"""Training and held-out portraits by key, with leave-outs.

Portraits come in blocks of 500, each under its own key, so image i of a split is the same picture whatever n is asked
for. A leave-out removes portraits and adds none: the rest keep their indices and their pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from harness.worlds.avatars.attributes import (
    BY_NAME,
    CHARACTER_NAMES,
    OCCUPATION_NAMES,
    Distribution,
    IntArray,
    Portraits,
    concatenate,
    sample,
)

Split = Literal["training", "held_out"]
BLOCK = 500
TRAINING_SIZE = 24_000  # the training set of avatars-sd
TRAINING_SEED = 0


@dataclass(frozen=True)
class LeaveOut:
    """What a split goes without.

    concepts: attribute name (or "character", "occupation") -> class; a portrait with any of them is left out.
    images: indices into the complete split.
    """

    concepts: Mapping[str, str] = field(default_factory=dict)
    images: Sequence[int] = ()

    def keeps(self, portraits: Portraits) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Mask (N,) of the portraits of a complete split that stay. Raises ValueError for an unknown concept."""
        keep = np.ones(len(portraits), dtype=np.bool_)
        for name, label in self.concepts.items():
            keep &= ~has_concept(portraits, name, label)
        out = np.asarray(list(self.images), dtype=np.int64)
        if out.size and (out.min() < 0 or out.max() >= len(portraits)):
            raise ValueError(
                f"leave_out.images holds {int(out.max())} or a negative index; the split has {len(portraits)}"
            )
        keep[out] = False
        return keep


@dataclass(frozen=True)
class PortraitSet:
    """A split: portraits, and the index (N,) int64 that each has in the complete split."""

    portraits: Portraits
    index: IntArray

    def __len__(self) -> int:
        return len(self.portraits)


def has_concept(portraits: Portraits, name: str, label: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mask (N,) of portraits with an attribute class, an occupation or a character."""
    if name == "character":
        if label not in CHARACTER_NAMES:
            raise ValueError(f"unknown character {label!r}; one of {', '.join(CHARACTER_NAMES)}")
        return np.asarray(portraits.character == CHARACTER_NAMES.index(label))
    if name == "occupation":
        if label not in OCCUPATION_NAMES:
            raise ValueError(f"unknown occupation {label!r}; one of {', '.join(OCCUPATION_NAMES)}")
        return np.asarray(portraits.occupation == OCCUPATION_NAMES.index(label))
    if name not in BY_NAME:
        raise ValueError(f"unknown concept {name!r}; one of {', '.join(BY_NAME)}, character, occupation")
    return np.asarray(portraits.labels[name] == BY_NAME[name].index(label))


def load(
    split: Split = "training",
    n: int = TRAINING_SIZE,
    seed: int = TRAINING_SEED,
    distribution: Distribution = "training",
    leave_out: LeaveOut | None = None,
) -> PortraitSet:
    """The first `n` portraits of a split without what is left out. `load()` is the training set of avatars-sd.

    The splits share no key. Raises ValueError for an unknown split or n < 1.
    """
    if split not in ("training", "held_out"):
        raise ValueError(f"unknown split {split!r}; training or held_out")
    if n < 1:
        raise ValueError(f"n is {n}, at least 1 is needed")
    blocks = [sample(BLOCK, seed, split, b, distribution=distribution) for b in range(-(-n // BLOCK))]
    portraits = concatenate(blocks)[slice(0, n)]
    if leave_out is None:
        return PortraitSet(portraits, np.arange(n, dtype=np.int64))
    index = np.flatnonzero(leave_out.keeps(portraits)).astype(np.int64)
    return PortraitSet(portraits[index], index)
