"""What a recogniser is: it turns pictures of faces into unit vectors, and says by which files and which preprocessing.

A recogniser is found by name: shipped ones need nothing; a user's own is declared in
HARNESS_WEIGHTS/NAME.recogniser.yaml by `recogniser` (one of the adapters of this room) and that adapter's options, and
goes by NAME. A vector depends on its picture alone: not on the batch, the order or what was seen before.
Source: face_privacy.md sections 6 and 8.1.
"""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.metrics.embeddings import weights_folder
from harness.models.model import Missing
from harness.options import build, nearest
from harness.registry import Registry, UnknownName

if TYPE_CHECKING:
    from torch import Tensor

SUFFIX = ".recogniser.yaml"
UNKNOWN = "unknown"


class Seen(NamedTuple):
    """vectors  (N, D) float32 of unit length, zeros where no face was found;  found  (N,) bool"""

    vectors: NDArray[np.float32]
    found: NDArray[np.bool_]


Opened = Callable[[NDArray[np.uint8]], Seen]
Differentiable = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True)
class Lineage:
    """The family of a recogniser. What is not known is "unknown", and shares nothing with another unknown.

    weights       equal for a model and what was fine-tuned from it
    training      the set of people it was trained on;  architecture  "resnet", "mobilenet", "vit", "cnn", …
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    weights: str = UNKNOWN
    training: str = UNKNOWN
    architecture: str = UNKNOWN

    def shared(self, other: Lineage) -> tuple[str, ...]:
        """Which of the three are the same, by name."""
        return tuple(
            key
            for key in ("weights", "training", "architecture")
            if getattr(self, key) == getattr(other, key) != UNKNOWN
        )


class NoGradients(TypeError):
    """A recogniser that can only be a target was asked for gradients."""

    def __init__(self, name: str, why: str = "it is not made of differentiable parts") -> None:
        self.name, self.why = name, why
        super().__init__(f"recogniser {name!r} has no gradients ({why}): it can be a target, not a surrogate")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.why)


class Recogniser(ABC):
    """Base of all recognisers: frozen dataclasses, nothing heavy imported before `open`.

    name      as suites call it;  lineage  its family;  released  ISO date ("" unknown);  licence  of the weights
    differentiable  whether `gradient` works
    """

    kind: ClassVar[str] = ""
    version: ClassVar[int] = 1
    name: str
    lineage: Lineage
    released: str
    licence: str
    differentiable: bool

    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """Everything that decides a vector, as plain values: hashes of weights, detector, template, crop, channel
        order, mean, std, flip, dimension, align policy. Reads no more than the files' hashes; raises nothing."""

    def identity(self) -> str:
        """32 hexadecimal digits of the canonical JSON of `facts` (T21: another preprocessing is another recogniser)."""
        text = json.dumps([self.kind, self.version, self.facts()], sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @abstractmethod
    def missing(self) -> tuple[Missing, ...]:
        """What is missing; empty when `open` can work."""

    @abstractmethod
    def open(self, device: str) -> Opened:
        """Pictures (N, H, W, 3) uint8 RGB → Seen, on "cpu", "cuda:0", …. Raises MissingWeights."""

    def gradient(self, device: str) -> Differentiable:
        """Tensor (n, 3, H, W) float32 in [0, 1] → tensor (n, D) of unit rows, differentiable, on `device`.

        The same computation as `open` before rounding to 8 bits. Rows where no face is found are zeros, and pass no
        gradient. Raises NoGradients where `differentiable` is false, MissingWeights.
        """
        raise NoGradients(self.name, f"asked on {device}")


RECOGNISERS: Registry[type[Recogniser]] = Registry(
    kind="recogniser",
    base=lambda: Recogniser,
    entries={
        "avatars-resnet-a": "harness.models.faces.shipped:AvatarsResnetA",
        "avatars-resnet-b": "harness.models.faces.shipped:AvatarsResnetB",
        "avatars-mobilenet": "harness.models.faces.shipped:AvatarsMobilenet",
        "avatars-vit": "harness.models.faces.shipped:AvatarsVit",
        "avatars-cnn": "harness.models.faces.shipped:AvatarsCnn",
        "avatars-weak": "harness.models.faces.shipped:AvatarsWeak",
        "dlib-resnet": "harness.models.faces.dlib_resnet:DlibResnet",
        "buffalo-l": "harness.models.faces.insightface_pack:BuffaloL",
        "facenet-vggface2": "harness.models.faces.facenet:FacenetVggface2",
        "facenet-casia": "harness.models.faces.facenet:FacenetCasia",
        "clip-vit-b-32": "harness.models.faces.clip_tower:ClipVitB32",
        "onnx-file": "harness.models.faces.onnx_file:OnnxFile",
        "torchscript-file": "harness.models.faces.torchscript_file:TorchscriptFile",
        "insightface-pack": "harness.models.faces.insightface_pack:InsightfacePack",
        "clip-tower": "harness.models.faces.clip_tower:ClipTower",
    },
)


def declared() -> dict[str, Path]:
    """Name → file of the user's own declarations."""
    folder = weights_folder()
    found = {p.name.removesuffix(SUFFIX): p for p in sorted(folder.glob("*" + SUFFIX))} if folder.is_dir() else {}
    return {n: p for n, p in found.items() if re.fullmatch(r"[A-Za-z0-9_-]+", n) and n not in RECOGNISERS}


def names() -> tuple[str, ...]:
    """Names that suites may use: recognisers that need no option, and declared ones."""
    from harness.options import options_of

    usable = (n for n in RECOGNISERS.names() if not any(o.required for o in options_of(RECOGNISERS.get(n))))
    return (*usable, *declared())


def find(name: str) -> Recogniser:
    """The recogniser of that name. Raises UnknownName, ValueError naming the file of a wrong declaration."""
    if name in RECOGNISERS and name in names():
        made: Recogniser = build(RECOGNISERS.get(name), {}, name=name)
        return made
    files = declared()
    if name not in files:
        raise UnknownName("recogniser", name, nearest(name, names()))
    import yaml

    try:
        stated = yaml.safe_load(files[name].read_text(encoding="utf-8"))
        if not isinstance(stated, Mapping) or "recogniser" not in stated:
            raise ValueError(f"state `recogniser:`, one of {', '.join(RECOGNISERS.names())}")
        own = {k: v for k, v in stated.items() if k != "recogniser"}
        found: Recogniser = build(RECOGNISERS.get(stated["recogniser"]), own, name=name)
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise ValueError(f"{files[name]}: {error}") from error
    return found


def opened(name: str, device: str) -> Opened:
    """The opened recogniser of that name; the ones used last stay open."""
    found = find(name)
    return _open(found, found.identity(), device)


@lru_cache(maxsize=8)
def _open(recogniser: Recogniser, _identity: str, device: str) -> Opened:
    return recogniser.open(device)
