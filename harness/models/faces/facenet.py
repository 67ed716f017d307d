"""FaceNet's InceptionResnetV1 of the package facenet-pytorch (MIT), from a weights file on this machine.

Input 160 px, RGB, (x - 127.5) / 128; 512 numbers. Its authors crop by MTCNN's box; here the face is aligned to
ArcFace's template with a tenth of the crop around it, which is ours: published accuracies are not of this crop. The
file is the package's own release (a state dict); its classifier, if any, is left out. Two training sets, one
architecture: a grey pair (face_privacy.md 6). Weights are read as weights only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, ClassVar

from harness.models.extractors.places import PublishedFile
from harness.models.faces.alignment import Policy
from harness.models.faces.embedder import INSTEAD, Embedder
from harness.models.faces.embedding import Input, Network
from harness.models.faces.recogniser import Lineage
from harness.models.model import Missing
from harness.options import option

RELEASE = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"


@dataclass(frozen=True, kw_only=True)
class _Facenet(Embedder):
    align: Policy = option("arcface112", help="arcface112: detect; frame: the picture is the aligned frame; none")
    margin: float = option(0.1, unit="crops", at_least=0, at_most=1, help="shown around the crop", source="ours")
    released: str = "2018-04-02"
    licence: str = "MIT (code); weights: that of their training photographs, research"

    file: ClassVar[str] = ""
    batch: ClassVar[int] = 8
    needs: ClassVar[tuple[str, ...]] = ("facenet_pytorch",)

    def read(self) -> Input:
        return Input(160, "rgb", (127.5,), (128.0,))

    def _published(self) -> PublishedFile:
        return PublishedFile(self.file, RELEASE + self.file)

    def weights(self) -> Mapping[str, str]:
        return self._published().hashes()

    def files_missing(self) -> tuple[Missing, ...]:
        gone = self._published().missing(INSTEAD)
        return () if gone is None else (gone,)

    def network(self, device: str, *, gradient: bool) -> Network:  # noqa: ARG002 - one module for both
        import torch

        with torch.random.fork_rng(devices=[]):  # its first weights are drawn from the global state
            net: Any = import_module("facenet_pytorch").InceptionResnetV1(pretrained=None, classify=False)
        ((_, path),) = (self._published().files() or {}).items()
        state = torch.load(path, map_location="cpu", weights_only=True)
        net.load_state_dict({k: v for k, v in state.items() if not k.startswith("logits.")})
        made: Network = net.to(device).eval().requires_grad_(False)
        return made


@dataclass(frozen=True, kw_only=True)
class FacenetVggface2(_Facenet):
    """FaceNet's InceptionResnetV1 trained on VGGFace2, weights of facenet-pytorch."""

    name: str = "facenet-vggface2"
    lineage: Lineage = field(default=Lineage("facenet-20180402-vggface2", "vggface2", "inception-resnet"))

    kind: ClassVar[str] = "facenet-vggface2"
    file: ClassVar[str] = "20180402-114759-vggface2.pt"


@dataclass(frozen=True, kw_only=True)
class FacenetCasia(_Facenet):
    """FaceNet's InceptionResnetV1 trained on CASIA-WebFace, weights of facenet-pytorch."""

    name: str = "facenet-casia"
    released: str = "2018-04-08"
    lineage: Lineage = field(default=Lineage("facenet-20180408-casia", "casia-webface", "inception-resnet"))

    kind: ClassVar[str] = "facenet-casia"
    file: ClassVar[str] = "20180408-102900-casia-webface.pt"
