"""Photographs of avatars people: portraits of one person as a camera would keep them, in splits that share nobody.

A photograph is a portrait (harness/worlds/avatars/people.py: pose, light, expression, glasses, age, clothes and
background vary, identity, skin and hair stay) with sensor noise and a pass through JPEG. Every split has people of its
own key; `manifest.json` beside this file names each by the hash of its pixels, and a test draws them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.keys import generator
from harness.worlds.avatars.attributes import Portraits
from harness.worlds.avatars.draw import render
from harness.worlds.avatars.people import people

SEED = 0
NOISE = (0.5, 3.0)
"""Standard deviation of the sensor's noise, levels of 255, uniform over photographs."""
QUALITY = (70, 95)
"""JPEG quality, uniform over photographs."""
MANIFEST = Path(__file__).with_name("manifest.json")


@dataclass(frozen=True)
class Split:
    """People and photographs of each."""

    people: int
    photos: int


SPLITS: dict[str, Split] = {
    "people-a": Split(2500, 10),  # three sets that recognisers are trained on
    "people-b": Split(2500, 10),
    "people-c": Split(2500, 10),
    "calibration": Split(1000, 2),  # the second photograph serves genuine pairs
    "evaluation": Split(200, 6),
    "targets": Split(40, 2),
    "distractors": Split(500, 1),
    "decoys": Split(100, 1),
    "tuning": Split(60, 4),  # what presets of methods may be tuned on
}


@dataclass(frozen=True)
class Photographs:
    """pixels (N, 64, 64, 3) uint8;  person (N,) int64, numbered within the split;  portraits, their ground truth."""

    pixels: NDArray[np.uint8]
    person: NDArray[np.int64]
    portraits: Portraits

    def __len__(self) -> int:
        return len(self.person)


@lru_cache(maxsize=4)
def photographs(split: str, n_people: int | None = None, n_photos: int | None = None) -> Photographs:
    """The first `n_photos` photographs of the first `n_people` people of a split; by default all.

    A photograph is the same whatever is asked for. Raises KeyError for an unknown split, ValueError for more than it
    has.
    """
    whole = SPLITS[split]
    count, each = whole.people if n_people is None else n_people, whole.photos if n_photos is None else n_photos
    if not (0 < count <= whole.people and 0 < each <= whole.photos):
        raise ValueError(
            f"split {split!r} has {whole.people} people with {whole.photos} photographs, not {count}, {each}"
        )
    portraits, person = people(whole.people, whole.photos, SEED, "photographs", split)
    rows = np.arange(len(person)).reshape(whole.people, whole.photos)[:count, :each].ravel()
    chosen = portraits[rows]
    return Photographs(_developed(render(chosen), split, rows), person[rows], chosen)


def _developed(pictures: NDArray[np.uint8], split: str, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Pictures (n, H, W, 3) with the noise and the compression of photographs number `rows` of a split."""
    from PIL import Image

    result = np.empty_like(pictures)
    for i, row in enumerate(rows.tolist()):
        g = generator(SEED, "world", "camera", split, row)
        deviation, quality = g.uniform(*NOISE), int(g.integers(QUALITY[0], QUALITY[1] + 1))
        noisy = pictures[i] + deviation * g.standard_normal(pictures[i].shape, dtype=np.float32)
        file = BytesIO()
        Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
        with Image.open(file) as kept:
            result[i] = np.asarray(kept.convert("RGB"))
    return result


def fingerprint(split: str) -> dict[str, Any]:
    """What the manifest says of a split: its size, and the SHA-256 of its people (identities and fixed looks)."""
    whole = SPLITS[split]
    portraits, _ = people(whole.people, whole.photos, SEED, "photographs", split)
    digest = hashlib.sha256(np.ascontiguousarray(portraits.identity, dtype="<f4").tobytes())
    for name in sorted(portraits.labels):
        digest.update(np.ascontiguousarray(portraits.labels[name], dtype="<i8").tobytes())
    return {"people": whole.people, "photos": whole.photos, "sha256": digest.hexdigest()}


def build_manifest(splits: Iterable[str] = SPLITS) -> dict[str, Any]:
    """The manifest: every split's size and hash."""
    return {
        "seed": SEED,
        "noise": list(NOISE),
        "jpeg_quality": list(QUALITY),
        "splits": {s: fingerprint(s) for s in splits},
    }


if __name__ == "__main__":
    MANIFEST.write_text(json.dumps(build_manifest(), indent=2) + "\n")
