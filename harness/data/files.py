"""Image sets in users' own files: named by the digest of their pixels, read in blocks, whatever holds them.

A subclass says which files there are and which encoded images each holds; everything else (reading, fitting, naming,
counting, labels) is here. A set's identity is its content: the digest of the pixels as read, in order, with the rules
that were applied; never a path (rules.md 29). Digests are remembered by (file, size, modification time), and whoever
loads the pixels checks them against the digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.fitting import Fit, Rule
from harness.data.image_set import ImageData, ImageSet
from harness.data.memo import FileFacts, Memo
from harness.data.reader import Alpha, BadImages, Cmyk, Icc, Reader, SixteenBit
from harness.options import nearest, option, params_of

Label = int | str | None
PLAIN = re.compile(r"[\w.@/-]+")


class MissingData(FileNotFoundError):
    """A data set that is not here: what, where it was looked for, and how to get it."""


@dataclass(frozen=True)
class Raw:
    """One image as a file holds it: encoded bytes or an array (H, W, 3) uint8; its label; a name for messages."""

    data: bytes | NDArray[np.uint8]
    label: Label
    name: str


@dataclass(frozen=True, kw_only=True)
class ImageFiles(ImageSet):
    """Base of sets in files. Subclasses add `path` or what stands for it, and give `files` and `images`."""

    first: int | None = option(None, unit="images", at_least=1, help="only the first so many, in the set's order")
    fit: Rule = option("none", help="none | crop | stretch | adm: rule that brings every image to side × side")
    side: int | None = option(None, unit="pixels", at_least=1, help="side of the fitted images")
    alpha: Alpha = option("refuse", help="transparent pixels: refuse, or composite on white or black")
    sixteen_bit: SixteenBit = option("refuse", help="16-bit images: refuse, round to 256 levels, or keep the high byte")
    cmyk: Cmyk = option("refuse", help="CMYK images: refuse, or convert without profile")
    icc: Icc = option("refuse", help="embedded profiles other than sRGB: refuse, ignore, or convert to sRGB")
    containers: Literal["match", "any"] = option(
        "match", help="match: metrics refuse JPEG beside PNG; any: stated and accepted", source="metrics.md T4"
    )
    labels: Literal["ignore", "index", "name"] = option(
        "ignore", help="index: label k answers prompt k; name: the class's name in `template` is the prompt"
    )
    classes: tuple[str, ...] = option((), help="names of whole-number labels, where the files do not have them")
    template: str = option("{}", help="prompt of a class name, as in 'a photo of a {}'")
    called: str = option("", in_id=False, help="what metric ids call the set; default: the kind of source")

    licence: ClassVar[str] = "that of the user's files"

    def __post_init__(self) -> None:
        if self.called and not PLAIN.fullmatch(self.called):
            raise ValueError(f"called: {self.called!r}: letters, digits, dots, dashes, slashes and @ only")
        if "{}" not in self.template:
            raise ValueError(f"template {self.template!r} has no {{}} for the name of the class")
        self._fit  # noqa: B018  (raises for fit without side)

    # --- what a subclass gives ----------------------------------------------------------------------------------------

    @abstractmethod
    def files(self) -> list[Path]:
        """The files in order. Raises MissingData."""

    @abstractmethod
    def images(self, file: Path) -> Iterator[Raw]:
        """The images of one file in order, without holding them all. Raises BadImages."""

    def class_names(self) -> tuple[str, ...]:
        """Names of whole-number labels."""
        return self.classes

    # --- identity -----------------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        return self.called or self.name

    @property
    def mixes(self) -> bool:
        return self.containers == "any"

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.alpha, self.sixteen_bit, self.cmyk, self.icc)

    @cached_property
    def _fit(self) -> Fit:
        return Fit(self.fit, self.side)

    def identity(self, prompts: tuple[str, ...]) -> dict[str, Any]:
        fields = {"set": self.name, "version": self.version, **params_of(self, in_id_only=True)}
        fields["content"] = self.content
        if self.labels != "ignore":
            fields["prompts"] = list(prompts)
        return fields

    @cached_property
    def content(self) -> str:
        """32 hexadecimal digits: the pixels as read, in order, and their labels where labels count."""
        made = hashlib.blake2b(digest_size=16)
        made.update("".join(self.facts.digests).encode())
        if self.labels != "ignore":
            made.update(json.dumps([list(self.facts.labels), list(self.class_names())]).encode())
        return made.hexdigest()

    @cached_property
    def facts(self) -> FileFacts:
        """What the whole set holds, an entry an image, from memory where no file changed. Raises BadImages."""
        way = [self.name, self.version, self.fit, self.side, self._reader.__dict__, self.how_read()]
        files = self.files()
        memo = Memo(json.dumps([*way, str(files[0].parent.resolve())]))
        columns: list[FileFacts] = []
        total = 0
        for file in files:
            if (known := memo.get(file)) is None:
                known = self._measured(file)
                memo.put(file, known)
            columns.append(known)
            total += len(known.digests)
            if self.first is not None and total >= self.first:
                break
        memo.save()
        if total == 0:
            raise BadImages(f"no images in {files[0].parent.name}")
        if self.first is not None and total < self.first:
            raise BadImages(f"`first: {self.first}`, but there are {total} images")
        return _joined(columns, self.first)

    def how_read(self) -> list[Any]:
        """Further options that change which images a file gives (columns, names of arrays)."""
        return []

    def _measured(self, file: Path) -> FileFacts:
        rows = [(digest_of(p), p.shape[:2], c, label) for p, c, label, _ in self._decoded(file)]
        digests, shapes, containers, labels = zip(*rows, strict=True) if rows else ((), (), (), ())
        return FileFacts(tuple(digests), tuple(shapes), tuple(containers), tuple(labels))

    def _decoded(self, file: Path) -> Iterator[tuple[NDArray[np.uint8], str, Label, str]]:
        for raw in self.images(file):
            if isinstance(raw.data, bytes):
                pixels, container = self._reader.read(raw.data, raw.name)
            else:
                pixels, container = raw.data, "npz"
            yield self._fit(pixels), container, raw.label, raw.name

    # --- images -------------------------------------------------------------------------------------------------------

    def size(self, prompts: tuple[str, ...]) -> int:
        return len(self.facts.digests)

    def kept_as(self, prompts: tuple[str, ...]) -> frozenset[str]:
        return frozenset(self.facts.containers)

    def duplicates(self, prompts: tuple[str, ...]) -> float | None:
        return self._repeated

    @cached_property
    def _repeated(self) -> float:
        return duplicate_rate(self.facts.digests)

    def absent(self) -> str:
        try:
            self.files()
        except MissingData as missing:
            return str(missing)
        return ""

    def size_bytes(self, prompts: tuple[str, ...]) -> int:
        return sum(3 * height * width for height, width in self.facts.shapes)

    def load(self, prompts: tuple[str, ...]) -> ImageData:
        images = np.empty((self.size(prompts), *self._shape(), 3), dtype=np.uint8)
        prompt = np.empty(len(images), dtype=np.int64)
        at = 0
        for block in self.blocks(prompts):
            images[at : at + len(block.images)], prompt[at : at + len(block.images)] = block.images, block.prompt
            at += len(block.images)
        return ImageData(images, prompt)

    def blocks(self, prompts: tuple[str, ...], count: int = 256) -> Iterator[ImageData]:
        """As of the base, `count` images in memory at most. Raises BadImages where a file is not what it was."""
        self._shape()
        answers = self.answers(prompts)
        held: list[NDArray[np.uint8]] = []
        at = 0
        for pixels, name in self._pixels():
            if digest_of(pixels) != self.facts.digests[at]:
                raise BadImages(f"{name} is not the image that the set was named by; plan the suite again")
            held.append(pixels)
            at += 1
            if len(held) == count:
                yield ImageData(np.stack(held), answers[at - count : at])
                held = []
        if at != len(answers):
            raise BadImages(f"{at} images, {len(answers)} when the set was named; plan the suite again")
        if held:
            yield ImageData(np.stack(held), answers[at - len(held) : at])

    def _pixels(self) -> Iterator[tuple[NDArray[np.uint8], str]]:
        left = len(self.facts.digests)
        for file in self.files():
            for pixels, _, _, name in self._decoded(file):
                if left == 0:
                    return
                left -= 1
                yield pixels, name

    def _shape(self) -> tuple[int, int]:
        """Height and width of every image. Raises BadImages when they differ."""
        shapes = list(dict.fromkeys(self.facts.shapes))
        if len(shapes) > 1:
            (a, b), (c, d) = shapes[:2]
            text = f"images of {len(shapes)} sizes ({a}×{b}, {c}×{d}, …)"
            raise BadImages(f"{text}; state a rule: `fit: crop` (or stretch, adm) with `side`")
        return shapes[0]

    def answers(self, prompts: tuple[str, ...]) -> NDArray[np.int64]:
        """(N,) index of the prompt that each image answers, -1 where it answers none. Raises BadImages."""
        labels = self.facts.labels
        if self.labels == "ignore":
            return np.full(len(labels), -1, dtype=np.int64)
        if any(label is None for label in labels):
            raise BadImages(f"`labels: {self.labels}`, but the files have no labels")
        named = [self._prompt_of(label, prompts) for label in labels]
        if not any(p >= 0 for p in named):
            text = self._text(labels[0]) if self.labels == "name" else str(labels[0])
            near = nearest(text, prompts)
            hint = f"; the nearest prompt is {near[0]!r}" if near else ""
            raise BadImages(f"no label answers a prompt of the suite: the first is {text!r}{hint}")
        return np.array(named, dtype=np.int64)

    def _prompt_of(self, label: Label, prompts: Sequence[str]) -> int:
        if self.labels == "index":
            if not isinstance(label, int):
                raise BadImages(f"`labels: index` needs whole numbers; found {label!r}")
            return label if 0 <= label < len(prompts) else -1
        text = self._text(label)
        return prompts.index(text) if text in prompts else -1

    def _text(self, label: Label) -> str:
        names = self.class_names()
        if isinstance(label, int):
            if not 0 <= label < len(names):
                raise BadImages(f"label {label} has no name: `classes` lists {len(names)}")
            return self.template.format(names[label])
        return self.template.format(label)


def digest_of(pixels: NDArray[np.uint8]) -> str:
    """32 hexadecimal digits of an image (H, W, 3) uint8: its size and its levels."""
    made = hashlib.blake2b(f"{pixels.shape[0]},{pixels.shape[1]};".encode(), digest_size=16)
    made.update(np.ascontiguousarray(pixels).data)
    return made.hexdigest()


def duplicate_rate(digests: Sequence[str]) -> float:
    """Share of images that repeat an earlier one: 1 - distinct / n (metrics.md T13)."""
    return 1.0 - len(set(digests)) / len(digests)


def _joined(columns: Sequence[FileFacts], first: int | None) -> FileFacts:
    return FileFacts(
        tuple(d for c in columns for d in c.digests)[:first],
        tuple(s for c in columns for s in c.shapes)[:first],
        tuple(k for c in columns for k in c.containers)[:first],
        tuple(v for c in columns for v in c.labels)[:first],
    )
