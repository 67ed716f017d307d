"""Any ONNX recogniser with a declared preprocessing: one input (n, 3, side, side), one output (n, D).

HARNESS_WEIGHTS/NAME.recogniser.yaml:

    recogniser: onnx-file
    file: magface.onnx
    side: 112
    order: bgr
    mean: [0.0]
    std: [255.0]
    align: frame
    lineage: {weights: magface-r100, training: ms1mv2, architecture: resnet}
    released: "2021-03-11"
    licence: Apache-2.0

What the mean and std are is not in the file: wrong ones give a recogniser that is weak without a word, so state them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from harness.metrics.embeddings import weights_folder
from harness.models.extractors.places import ABSENT
from harness.models.faces import embedding
from harness.models.faces.embedding import Input, Network, Order
from harness.models.faces.recogniser import Differentiable, Lineage, Opened, Recogniser
from harness.models.model import Missing, MissingWeights
from harness.models.weights import sha256
from harness.options import option

Policy = Literal["frame", "none"]
INSTEAD = "the shipped recognisers (avatars-resnet-a, …), for drawn faces"


@dataclass(frozen=True, kw_only=True)
class NetworkFile(Recogniser):
    """What recognisers in one file have in common: a subclass opens the file as a network."""

    name: str = option(in_id=False, help="as suites call it")
    file: str = option(in_id=False, help="the file, in the weights folder, or a path; its hash is the identity")
    side: int = option(112, unit="px", at_least=1, help="height and width of the network's input")
    order: Order = option("rgb", help="channels as the network reads them")
    mean: tuple[float, ...] = option((127.5,), unit="levels", help="subtracted; one number or three")
    std: tuple[float, ...] = option((127.5,), unit="levels", above=0, help="divided by; one number or three")
    flip: bool = option(False, help="add the vector of the mirrored picture")
    align: Policy = option("frame", help="frame: the picture is the aligned frame; none: it is not aligned")
    lineage: Lineage = option(Lineage(), in_id=False, help="weights, training, architecture: the family")
    released: str = option("", in_id=False, help="ISO date")
    licence: str = option("unknown", in_id=False, help="of the weights")

    differentiable: ClassVar[bool] = True  # type: ignore[misc]
    batch: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()
    gradients_need: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        self.read()

    def read(self) -> Input:
        """What the network reads."""
        return Input(self.side, self.order, tuple(self.mean), tuple(self.std))

    @property
    def path(self) -> Path:
        """Where the file is looked for."""
        return weights_folder() / Path(self.file).expanduser()

    def facts(self) -> Mapping[str, Any]:
        weights = sha256(self.path) if self.path.is_file() else ABSENT
        return {"weights": weights, "input": self.read().facts(), "flip": self.flip, "align": self.align}

    def missing(self) -> tuple[Missing, ...]:
        from harness.models.faces.onnx_network import packages

        gone = packages(*self.needs)
        if not self.path.is_file():
            gone += (Missing(self.file, (str(self.path),), f"copy the file to {self.path}", INSTEAD),)
        return gone

    def network(self, device: str, *, gradient: bool) -> Network:
        """The network, differentiable or not."""
        raise NotImplementedError

    def open(self, device: str) -> Opened:
        network = self._checked(device, gradient=False)
        return embedding.opened(self._align(), network, self.read(), device, flip=self.flip, batch=self.batch)

    def gradient(self, device: str) -> Differentiable:
        network = self._checked(device, gradient=True)
        return embedding.differentiable(self._align(), network, self.read(), device, flip=self.flip)

    def _checked(self, device: str, *, gradient: bool) -> Network:
        from harness.models.faces.onnx_network import packages

        if missing := (*self.missing(), *(packages(*self.gradients_need) if gradient else ())):
            raise MissingWeights(missing)
        return self.network(device, gradient=gradient)

    def _align(self) -> embedding.Align:
        return embedding.whole


@dataclass(frozen=True, kw_only=True)
class OnnxFile(NetworkFile):
    """A user's ONNX file."""

    kind: ClassVar[str] = "onnx-file"
    needs: ClassVar[tuple[str, ...]] = ("onnxruntime",)
    gradients_need: ClassVar[tuple[str, ...]] = ("onnx", "onnx2torch")

    def network(self, device: str, *, gradient: bool) -> Network:
        from harness.models.faces.onnx_network import converted, runtime

        return converted(self.path, device, self.side, self.name) if gradient else runtime(self.path, device)
