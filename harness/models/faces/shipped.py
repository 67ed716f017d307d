"""The shipped recognisers of drawn faces, ONNX files in ArcFace's convention, one folder of the zoo each.

112 x 112, RGB, (x - 127.5) / 127.5: what `insightface.model_zoo.get_model` infers of such files, so the same file is a
recogniser there (a test compares the vectors). Pictures of the avatars world are aligned as drawn, so the policy is
"frame": the whole picture, resized. Family and date are those of the card. They say nothing about photographs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from harness.models import zoo
from harness.models.faces.alignment import Policy
from harness.models.faces.onnx_file import OnnxFile
from harness.models.faces.recogniser import Lineage
from harness.models.model import Missing
from harness.models.zoo.card import CARD, check, read_card

FILE = "model.onnx"


@dataclass(frozen=True, kw_only=True)
class Shipped(OnnxFile):
    """A recogniser of the zoo; the options of its network are fixed."""

    name: str = ""
    file: str = field(init=False, default=FILE)
    side: int = field(init=False, default=112)
    order: Any = field(init=False, default="rgb")
    mean: tuple[float, ...] = field(init=False, default=(127.5,))
    std: tuple[float, ...] = field(init=False, default=(127.5,))
    flip: bool = field(init=False, default=False)
    align: Policy = field(init=False, default="frame")
    detector: str = field(init=False, default="")
    margin: float = field(init=False, default=0.0)
    lineage: Lineage = field(init=False, default=Lineage())
    released: str = field(init=False, default="")
    licence: str = field(init=False, default="unknown")

    def __post_init__(self) -> None:
        if (self.folder / CARD).is_file():
            card = read_card(self.folder)
            stated = {"lineage": Lineage(**card["lineage"]), "released": card["released"], "licence": card["licence"]}
            for key, value in stated.items():
                object.__setattr__(self, key, value)

    @property
    def folder(self) -> Path:
        """Its folder in the zoo."""
        return zoo.ROOT / self.kind

    @property
    def path(self) -> Path:
        return self.folder / self.file

    def card(self) -> dict[str, Any]:
        """The card: data, recipe, hashes and held-out measurements."""
        return read_card(self.folder)

    def missing(self) -> tuple[Missing, ...]:
        if (self.folder / CARD).is_file():
            check(self.folder)
            return tuple(m for m in super().missing() if m.what != self.file)
        where = f"harness/models/zoo/{self.kind}"
        return (Missing(f"shipped recogniser {self.kind}", (where,), f"harness zoo train {self.kind}"),)


@dataclass(frozen=True, kw_only=True)
class AvatarsResnetA(Shipped):
    """A residual network trained with ArcFace's loss, people of set A."""

    kind: ClassVar[str] = "avatars-resnet-a"


@dataclass(frozen=True, kw_only=True)
class AvatarsResnetB(Shipped):
    """The same architecture and loss as avatars-resnet-a, people of set B."""

    kind: ClassVar[str] = "avatars-resnet-b"


@dataclass(frozen=True, kw_only=True)
class AvatarsMobilenet(Shipped):
    """Inverted residuals trained with CosFace's loss, people of set B."""

    kind: ClassVar[str] = "avatars-mobilenet"


@dataclass(frozen=True, kw_only=True)
class AvatarsVit(Shipped):
    """A small vision transformer, people of set C."""

    kind: ClassVar[str] = "avatars-vit"


@dataclass(frozen=True, kw_only=True)
class AvatarsCnn(Shipped):
    """A plain convolutional network trained with the triplet loss, people of set C."""

    kind: ClassVar[str] = "avatars-cnn"


@dataclass(frozen=True, kw_only=True)
class AvatarsWeak(Shipped):
    """The older one, declared weak: few weights, few people of set A."""

    kind: ClassVar[str] = "avatars-weak"
