"""What recognisers around a torch or ONNX network have in common: alignment, mirrored pictures, family, files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from harness.metrics.embeddings import weights_folder
from harness.models.extractors.places import ABSENT
from harness.models.faces import embedding
from harness.models.faces.alignment import Policy, policy_facts, policy_missing, policy_open
from harness.models.faces.embedding import Input, Network, Order
from harness.models.faces.onnx_network import packages
from harness.models.faces.recogniser import Differentiable, Lineage, Opened, Recogniser
from harness.models.model import Missing, MissingWeights
from harness.models.weights import sha256
from harness.options import option

INSTEAD = "the shipped recognisers (avatars-resnet-a, …), for drawn faces"


@dataclass(frozen=True, kw_only=True)
class Embedder(Recogniser):
    """A recogniser made of a policy of alignment, what its network reads, and the network."""

    name: str = ""
    align: Policy = option("frame", help="frame: the picture is the aligned frame; arcface112: detect; none: unaligned")
    detector: str = option("auto", help="of arcface112: auto, dlib or insightface:PACK")
    margin: float = option(0.0, unit="crops", at_least=0, at_most=1, help="of arcface112: shown around the crop")
    flip: bool = option(False, help="add the vector of the mirrored picture")
    lineage: Lineage = option(Lineage(), in_id=False, help="weights, training, architecture: the family")
    released: str = option("", in_id=False, help="ISO date")
    licence: str = option("unknown", in_id=False, help="of the weights")

    differentiable: ClassVar[bool] = True  # type: ignore[misc]
    batch: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()
    gradients_need: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def read(self) -> Input:
        """What the network reads."""

    @abstractmethod
    def weights(self) -> Mapping[str, str]:
        """File → sha256, "absent" where it is not there."""

    @abstractmethod
    def network(self, device: str, *, gradient: bool) -> Network:
        """The network, differentiable or not. Raises NoGradients."""

    @abstractmethod
    def files_missing(self) -> tuple[Missing, ...]:
        """Which files are missing."""

    def facts(self) -> Mapping[str, Any]:
        align = policy_facts(self.align, self.detector, self.margin)
        return {"weights": dict(self.weights()), "input": self.read().facts(), "flip": self.flip, "align": align}

    def missing(self) -> tuple[Missing, ...]:
        return (*packages(*self.needs), *self.files_missing(), *policy_missing(self.align, self.detector))

    def open(self, device: str) -> Opened:
        network, align = self._parts(device, gradient=False)
        return embedding.opened(align, network, self.read(), device, flip=self.flip, batch=self.batch)

    def gradient(self, device: str) -> Differentiable:
        network, align = self._parts(device, gradient=True)
        return embedding.differentiable(align, network, self.read(), device, flip=self.flip)

    def _parts(self, device: str, *, gradient: bool) -> tuple[Network, embedding.Align]:
        if missing := (*self.missing(), *(packages(*self.gradients_need) if gradient else ())):
            raise MissingWeights(missing)
        read = self.read()
        align = policy_open(self.align, self.detector, read.side, self.margin)
        return self.network(device, gradient=gradient), align


@dataclass(frozen=True, kw_only=True)
class NetworkFile(Embedder):
    """An embedder in one file with a declared preprocessing."""

    file: str = option(in_id=False, help="the file, in the weights folder, or a path; its hash is the identity")
    side: int = option(112, unit="px", at_least=1, help="height and width of the network's input")
    order: Order = option("rgb", help="channels as the network reads them")
    mean: tuple[float, ...] = option((127.5,), unit="levels", help="subtracted; one number or three")
    std: tuple[float, ...] = option((127.5,), unit="levels", above=0, help="divided by; one number or three")

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> Input:
        return Input(self.side, self.order, tuple(self.mean), tuple(self.std))

    @property
    def path(self) -> Path:
        """Where the file is looked for."""
        return weights_folder() / Path(self.file).expanduser()

    def weights(self) -> Mapping[str, str]:
        return {"network": sha256(self.path) if self.path.is_file() else ABSENT}

    def files_missing(self) -> tuple[Missing, ...]:
        if self.path.is_file():
            return ()
        return (Missing(self.file, (str(self.path),), f"copy the file to {self.path}", INSTEAD),)
