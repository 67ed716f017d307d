"""Loading the digits: source, manifest, enlargement."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.keys import generator

Split = Literal["training", "held_out"]
SIZE_PX = 32
MANIFEST = Path(__file__).with_name("manifest.json")
SPLIT_SEED = 0


def _source() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The digits as scikit-learn ships them: (1797, 8, 8) uint8 in 0..16 and labels (1797,) int64."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.asarray(bunch.images, dtype=np.uint8), np.asarray(bunch.target, dtype=np.int64)


def image_hash(image: NDArray[np.uint8]) -> str:
    """16 hex digits that name one 8x8 image."""
    return hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=8).hexdigest()


def build_manifest() -> dict[str, Any]:
    """The manifest: hash of the data, and index and hash of the images of both halves, stratified by digit.

    Images that occur twice in the source would stand in the same split; there is none.
    """
    images, labels = _source()
    chosen: dict[str, list[list[int | str]]] = {"training": [], "held_out": []}
    for digit in range(10):
        rows = generator(SPLIT_SEED, "split", "digits", digit).permutation(np.flatnonzero(labels == digit))
        half = (len(rows) + 1) // 2
        for name, part in (("training", rows[:half]), ("held_out", rows[half:])):
            chosen[name] += [[int(i), image_hash(images[i])] for i in np.sort(part)]
    return {
        "source": "sklearn.datasets.load_digits (UCI ML hand-written digits, test set; CC BY 4.0)",
        "sha256": hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest(),
        "split": {"seed": SPLIT_SEED, "purpose": "split", "rule": "half of each digit, larger half to training"},
        "enlargement": "Catmull-Rom (cubic, a = -0.5), pixel centres aligned, edges clamped, clipped to 0..16",
        **{name: sorted(rows) for name, rows in chosen.items()},
    }


def verify() -> None:
    """Compares the installed data with the manifest. Raises ValueError naming the first image that differs."""
    images, labels = _source()
    manifest = json.loads(MANIFEST.read_text())
    for split in ("training", "held_out"):
        for index, digest in manifest[split]:
            if image_hash(images[index]) != digest:
                raise ValueError(
                    f"digit {index} of split {split} differs from {MANIFEST.name}: other scikit-learn data"
                )
    whole = hashlib.sha256(images.tobytes() + labels.astype("<i8").tobytes()).hexdigest()
    if whole != manifest["sha256"]:
        raise ValueError(f"the digits have sha256 {whole[:12]}…, {MANIFEST.name} says {manifest['sha256'][:12]}…")


def _cubic(t: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.abs(t)
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def enlarge(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images (N, 32, 32, 3) uint8, dark ink on white, of digits (N, 8, 8) uint8 in 0..16."""
    scale = SIZE_PX // 8
    centres = (np.arange(SIZE_PX) + 0.5) / scale - 0.5
    matrix = np.zeros((SIZE_PX, 8))
    first = np.floor(centres).astype(int)
    for offset in range(-1, 3):
        taps = first + offset
        np.add.at(matrix, (np.arange(SIZE_PX), np.clip(taps, 0, 7)), _cubic(centres - taps))
    ink = np.clip(np.einsum("ia,nab,jb->nij", matrix, images.astype(np.float64), matrix), 0, 16)
    gray = np.rint(255 - ink * (255 / 16)).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=-1)


def indices(split: str) -> list[int]:
    """Indices of a split into scikit-learn's 1797 digits, in the manifest's order."""
    return [int(row[0]) for row in json.loads(MANIFEST.read_text())[split]]


def small(split: Split) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (N, 8, 8) uint8 in 0..255, ink bright, as scanned, and labels (N,) int64 of a split: see `load`."""
    verify()
    index = indices(split)
    images, labels = _source()
    return np.rint(images[index] * (255 / 16)).astype(np.uint8), labels[index]


def load(split: Split) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (N, 32, 32, 3) uint8 and labels (N,) int64 of a split, in the manifest's order.

    Raises ValueError for an unknown split, or when the installed data are not the manifest's.
    """
    if split not in ("training", "held_out"):
        raise ValueError(f"unknown split {split!r}; training or held_out")
    verify()
    index = indices(split)
    images, labels = _source()
    return enlarge(images[index]), labels[index]
