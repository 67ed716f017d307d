"""Labelled pictures in two splits, train and test: what classifiers are trained on, by name or from users' own files.

digits           scikit-learn's handwritten digits, 8×8 gray, in the halves of the world's manifest
digits/parity    the same with two classes, even and odd, whose sub-classes are the digits
avatars/people   portraits of drawn people: a class is a person
cifar10 …        torchvision's files in `path`, as its downloads lay them (cifar10, cifar100, cifar20: superclasses)
parquet          `path` holds files whose names begin with train and test, in the Hugging Face layout
folder           `path` holds train/CLASS/… and test/CLASS/…

Labels and the digest are known without loading a pixel; the digest names pixels and labels, never a path.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.options import nearest
from harness.registry import UnknownName

if TYPE_CHECKING:
    from harness.data.files import ImageFiles

SPLITS = ("train", "test")
TORCHVISION = {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "cifar20": "CIFAR100"}
PEOPLE, TRAIN_EACH, TEST_EACH, PEOPLE_PX = 16, 40, 15, 16

Labels = NDArray[np.int64]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class LabelledData:
    """labels, parts: split → (N,), class and sub-class; the sub-class is the class where there is no finer one.

    names   of the classes;  part_names  of the sub-classes
    read    split → (N, H, W, C) uint8
    """

    name: str
    names: tuple[str, ...]
    part_names: tuple[str, ...]
    labels: Mapping[str, Labels]
    parts: Mapping[str, Labels]
    digest: str
    read: Callable[[str], Pixels]


def names() -> tuple[str, ...]:
    """What `load_labelled` knows."""
    return (*_DRAWN, *TORCHVISION, "parquet", "folder")


def load_labelled(name: str, path: str | None = None) -> LabelledData:
    """The data set. Raises UnknownName, FileNotFoundError where files are missing, ValueError for labels that fail."""
    if name in _DRAWN:
        return _DRAWN[name]()
    if name not in names():
        raise UnknownName("labelled data set", name, nearest(name, names()))
    if path is None:
        raise ValueError(f"data {name!r} lies in files: give their folder as `path`")
    if name in TORCHVISION:
        return _torchvision(name, path)
    return _files(name, path)


# --- drawn or shipped -------------------------------------------------------------------------------------------------


@cache
def _digits() -> LabelledData:
    from harness.worlds.digits.data import small

    halves = {"train": small("training"), "test": small("held_out")}
    labels = {split: halves[split][1] for split in SPLITS}
    found = tuple(map(str, range(10)))
    return LabelledData(
        "digits", found, found, labels, labels, _digest(halves), lambda split: halves[split][0][..., None]
    )


@cache
def _parity() -> LabelledData:
    digits = _digits()
    labels = {split: digits.labels[split] % 2 for split in SPLITS}
    digest = _digest({split: (digits.read(split), labels[split]) for split in SPLITS})
    return LabelledData("digits/parity", ("even", "odd"), digits.names, labels, digits.labels, digest, digits.read)


@cache
def _people() -> LabelledData:
    """Portraits of `PEOPLE` drawn people, 64×64 shrunk to `PEOPLE_PX` by averaging; the test split has others."""
    from harness.worlds.avatars.draw import render
    from harness.worlds.avatars.people import people

    each = TRAIN_EACH + TEST_EACH
    portraits, person = people(PEOPLE, each, 0, "classification")
    rendered = render(portraits)
    block = rendered.shape[1] // PEOPLE_PX
    blocks = rendered.reshape(len(rendered), PEOPLE_PX, block, PEOPLE_PX, block, 3).mean(axis=(2, 4))
    shrunk = np.rint(blocks).astype(np.uint8)
    first = np.arange(len(person)) % each < TRAIN_EACH
    halves = {"train": (shrunk[first], person[first]), "test": (shrunk[~first], person[~first])}
    labels = {split: halves[split][1] for split in SPLITS}
    found = tuple(f"person {i}" for i in range(PEOPLE))
    return LabelledData("avatars/people", found, found, labels, labels, _digest(halves), lambda split: halves[split][0])


_DRAWN: dict[str, Callable[[], LabelledData]] = {
    "digits": _digits,
    "digits/parity": _parity,
    "avatars/people": _people,
}


# --- files ------------------------------------------------------------------------------------------------------------


def _torchvision(name: str, path: str) -> LabelledData:
    from torchvision import datasets

    made = getattr(datasets, TORCHVISION[name])
    try:
        both = {split: made(path, train=split == "train", download=False) for split in SPLITS}
    except RuntimeError as error:
        raise FileNotFoundError(f"no files of {TORCHVISION[name]} in {path}: {error}") from error
    fine = {split: np.asarray(both[split].targets, dtype=np.int64) for split in SPLITS}
    part_names = tuple(map(str, both["train"].classes))
    labels, found = fine, part_names
    if name == "cifar20":
        labels = {split: COARSE[fine[split]] for split in SPLITS}
        found = tuple(f"superclass {i}" for i in range(20))
    digest = _digest({split: (both[split].data, labels[split]) for split in SPLITS})
    return LabelledData(name, found, part_names, labels, fine, digest, lambda split: both[split].data)


def _files(name: str, path: str) -> LabelledData:
    """Files that the image sets of this room read, a set a split."""
    sets = {split: _set(name, Path(path), split) for split in SPLITS}
    given = {split: sets[split].facts.labels for split in SPLITS}
    if any(label is None for split in SPLITS for label in given[split]):
        raise ValueError(f"pictures without a label in {path}: every picture needs its class")
    kinds = sorted({label for split in SPLITS for label in given[split] if label is not None}, key=_order)
    index = {label: i for i, label in enumerate(kinds)}
    labels = {s: np.array([index[v] for v in given[s] if v is not None], dtype=np.int64) for s in SPLITS}
    stated = sets["train"].class_names()
    found = tuple(stated[k] if isinstance(k, int) and k < len(stated) else str(k) for k in kinds)
    contents = [[list(sets[s].facts.digests), labels[s].tolist()] for s in SPLITS]
    digest = hashlib.blake2b(json.dumps(contents).encode(), digest_size=16).hexdigest()
    return LabelledData(name, found, found, labels, labels, digest, lambda split: _pixels(name, path, split, digest))


@lru_cache(maxsize=len(SPLITS))
def _pixels(name: str, path: str, split: str, digest: str) -> Pixels:  # noqa: ARG001  (files may change: a key)
    """Decoded pictures of one data set, kept: every network of a seed asks for them."""
    return _set(name, Path(path), split).load(()).images


def _set(name: str, path: Path, split: str) -> ImageFiles:
    if name == "folder":
        from harness.data.folder import ImageFolder

        return ImageFolder(path=str(path / split))
    from harness.data.parquet import ImageParquet

    return ImageParquet(path=str(path), glob=f"**/{split}*.parquet")


def _order(label: int | str) -> tuple[bool, Any]:
    return isinstance(label, str), label


def _digest(halves: Mapping[str, tuple[Pixels, Labels]]) -> str:
    """32 hexadecimal digits of pixels and labels of both splits."""
    made = hashlib.blake2b(digest_size=16)
    for split in SPLITS:
        pixels, labels = halves[split]
        made.update(f"{split} {pixels.shape};".encode())
        made.update(np.ascontiguousarray(pixels).data)
        made.update(labels.astype("<i8").tobytes())
    return made.hexdigest()


# superclass of each of the 100 fine classes of CIFAR-100, in alphabetical order of both (Krizhevsky 2009, table)
# fmt: off
COARSE = np.array([
    4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7, 6, 13, 15, 3, 15, 0, 11, 1, 10,
    12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10, 16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12,
    16, 12, 1, 9, 19, 2, 10, 0, 1, 16, 12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8,
    14, 13,
], dtype=np.int64)
# fmt: on
